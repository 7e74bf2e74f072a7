import Autoregression
import Backbones
import Checkpoints
import Layers
import Tensors

// The cases of single embeddings and norms.
extension LINAVerification {
    static func verifyPatches(_ check: inout LINACheck) throws {
        let (channels, patch) = (try check.positive("image_dim"), try check.positive("patch_size"))
        let grid = try check.pair("hw")
        let store = check.store()
        let embedding = PatchEmbedding(
            store.scope, channels: channels, width: try check.positive("embed_dim"), patchSize: patch)
        try store.validate()
        let x = try check.input("x", [nil, channels, grid.0 * patch, grid.1 * patch]).variable
        let tokens = PatchEmbedding.tokens(of: x.permuted([0, 2, 3, 1]), patchSize: patch)
        let embedded = embedding(tokens)
        let back = PatchEmbedding.image(of: tokens, grid: TokenGrid(grid.0, grid.1), patchSize: patch)
            .permuted([0, 3, 1, 2])
        try check.output("patches", tokens)
        try check.output("embed", embedded)
        try check.output("back", back)
        try check.backward(
            [("patches", tokens), ("embed", embedded), ("back", back)], inputs: [("x", x)], store)
    }

    static func verifyRotation(_ check: inout LINACheck) throws {
        let (width, frames) = (try check.positive("head_dim"), try check.positive("frames"))
        let (height, columns) = try check.pair("base_size")
        let prefix = try check.fixture.integer("pad")
        try check.require(width % 32 == 0 && prefix >= 0, "its config describes no rotation")
        let positions = Rotation.positions(frames: frames, grid: TokenGrid(height, columns))
        let rotation = Rotation(
            positions: positions, prefix: prefix, headWidth: width,
            theta: Float(try check.fixture.number("theta")))
        try check.output("pos", positions)
        for (axis, exponents) in Rotation.exponents(headWidth: width).enumerated() {
            try check.output("scale\(axis)", exponents.map(Double.init))
        }
        try check.output("weight", rotationMatrices(rotation).map(Double.init))
        let tokens = prefix + positions.shape[1]
        let q = try check.input("q", [1, nil, tokens, width])
        let heads = q.shape[1]
        let rotated = rotation(
            q.permuted([0, 2, 1, 3]).reshaped([1, tokens, heads * width]), heads: heads)
        try check.output("q_rot", rotated.reshaped([1, tokens, heads, width]).permuted([0, 2, 1, 3]))
    }

    static func verifyPositions(_ check: inout LINACheck) throws {
        let (height, columns) = try check.pair("base_size")
        let width = try check.positive("dim")
        try check.require(
            width % 4 == 0, "four tables share the width, which must be a multiple of 4, not \(width)")
        try check.output("table", gridPositionTable(TokenGrid(height, columns), width: width))
    }

    static func verifyFramePositions(_ check: inout LINACheck) throws {
        let (width, sizes) = (try check.positive("dim"), try check.fixture.integers("base_size"))
        try check.require(
            sizes.count == 3 && sizes.allSatisfy { $0 > 0 } && width % 4 == 0,
            "its base_size is no [frames, height, width], or its width no multiple of 4")
        let grid = TokenGrid(sizes[1], sizes[2])
        let frames = try check.positive("frames")
        let store = check.store()
        let embedding = FrameEmbedding(store.scope, width: width)
        try store.validate()
        let x = try check.input("x", [nil, frames * grid.count, width]).variable
        let time = embedding((0..<frames).map { Float($0) / (Float(frames) / Float(sizes[0])) })
        let table = gridPositionTable(grid, width: width)
        let rows = time.gatheringRows((0..<frames * grid.count).map { $0 / grid.count })
        let places = Array(repeating: Array(0..<grid.count), count: frames).flatMap { $0 }
        let y = x + (rows + table.gatheringRows(places)).broadcastSamples(x.shape[0])
        try check.output("time", time.reshaped([frames, 1, width]))
        try check.output("y", y)
        try check.backward(
            [("time", time.reshaped([frames, 1, width])), ("y", y)], inputs: [("x", x)], store)
    }

    static func verifyText(_ check: inout LINACheck) throws {
        let (textWidth, length) = (try check.positive("token_dim"), try check.positive("num_tokens"))
        try check.require(length <= 512, "a prompt has at most 512 tokens, not \(length)")
        let store = check.store()
        let embedding = TextTokens(
            store.scope, textWidth: textWidth, width: try check.positive("embed_dim"), length: length)
        try store.validate()
        let prompts = try check.prompts(width: textWidth)
        let dropout = try check.fixture.number("dropout")
        let uniforms = try check.numbers("drop_uniform", count: prompts.count)
        try check.output("eval", embedding(prompts))
        try check.output("train", embedding(zip(prompts, uniforms).map { $1 < dropout ? nil : $0 }))
    }

    static func verifyLabels(_ check: inout LINACheck) throws {
        let classes = try check.positive("num_classes")
        let store = check.store()
        let embedding = LabelTokens(store.scope, classCount: classes, width: try check.positive("embed_dim"))
        try store.validate()
        let count = try check.fixture.input("ids").elementCount
        // The class behind the last is the null class itself.
        let labels = try check.labels("ids", samples: count, classes: classes + 1).map {
            $0 < classes ? $0 : nil
        }
        let dropout = try check.fixture.number("dropout")
        let uniforms = try check.numbers("drop_uniform", count: count)
        try check.output("eval", embedding(labels))
        try check.output("train", embedding(zip(labels, uniforms).map { $1 > dropout ? $0 : nil }))
    }

    static func verifyMasks(_ check: inout LINACheck) throws {
        let (width, tokens) = (try check.positive("embed_dim"), try check.positive("tokens"))
        let store = check.store()
        let masks = MaskTokens(store.scope, width: width)
        try store.validate()
        let x = try check.input("x", [nil, tokens, width])
        let samples = x.shape[0]
        func masked(_ visible: [[Int]]) -> Tensor {
            masks(count: tokens, visible: visible, known: x.gatheringTokens(visible))
        }
        let ratio = try check.numbers("mask_ratio", count: 1)[0]
        let visible = try check.visible(
            uniforms: "uniform", samples: samples, tokens: tokens, ratio: ratio)
        try check.output("prev_ids", visible.flatMap { $0 })
        try check.output("mask", check.mask(visible, tokens: tokens))
        try check.output("masked", masked(visible))

        let counts = try check.fixture.integers("num_preds")
        let orders = try check.orders("order", samples: samples, tokens: tokens)
        try check.require(
            counts.allSatisfy { $0 >= 0 } && counts.reduce(0, +) <= tokens, "num_preds exceed the tokens")
        // The original's mask is one buffer that every step changes; what the case holds is its last state.
        let last = check.mask(orders.map { Array($0[..<counts.reduce(0, +)]) }, tokens: tokens)
        var known = 0
        for (step, count) in counts.enumerated() {
            let drawn = orders.map { Array($0[known..<known + count]) }
            known += count
            try check.output("sample\(step)_pred_ids", drawn.flatMap { $0 })
            try check.output("sample\(step)_pred_mask", check.mask(drawn, tokens: tokens).map { 1 - $0 })
            try check.output("sample\(step)_masked", masked(orders.map { Array($0[..<known]) }))
            try check.output("sample\(step)_mask", last)
        }
    }

    static func verifyTimeCondition(_ check: inout LINACheck) throws {
        let (width, condition) = (try check.positive("embed_dim"), try check.positive("cond_dim"))
        let store = check.store()
        let embedding = TimeConditionEmbedding(
            store.scope, conditionWidth: condition, width: width, featureCount: try check.positive("freq_dim")
        )
        try store.validate()
        let z = try check.input("z", [nil, nil, condition]).variable
        let (samples, tokens) = (z.shape[0], z.shape[1])
        let y = embedding.condition(z)
        let perToken = try check.numbers("t_token", count: samples * tokens).map { Float($0) }
        let perSample = try check.numbers("t_batch", count: samples).map { Float($0) }
        let token = y + embedding.time(perToken).reshaped(y.shape)
        let repeated = perSample.flatMap { Array(repeating: $0, count: tokens) }
        let batch = y + embedding.time(repeated).reshaped(y.shape)
        try check.output("per_token", token)
        try check.output("per_batch", batch)
        try check.backward([("per_token", token), ("per_batch", batch)], inputs: [("z", z)], store)
    }

    static func verifyAdaptiveNorm(_ check: inout LINACheck) throws {
        let (width, statistics) = (try check.positive("dim"), try check.positive("num_stats"))
        try check.require(
            (2...3).contains(statistics), "a modulation has 2 or 3 statistics, not \(statistics)")
        let store = check.store()
        let norm = AdaptiveNorm(
            store.scope, width: width, statistics: statistics, epsilon: Float(try check.fixture.number("eps"))
        )
        try store.validate()
        let x = try check.input("x", [nil, nil, width]).variable
        let z = try check.input("z", x.shape.extents).variable
        let rows: Shape = [x.shape[0] * x.shape[1], width]
        let (h, gate) = norm(x.reshaped(rows), condition: z.reshaped(rows))
        try check.output("h", h.reshaped(x.shape))
        var results = [("h", h.reshaped(x.shape))]
        if let gate {
            try check.output("gate", gate.reshaped(x.shape))
            results.append(("gate", gate.reshaped(x.shape)))
        }
        try check.backward(results, inputs: [("x", x), ("z", z)], store)
    }
}

extension LINACheck {
    /// The prompts `prompt0`, `prompt1`, … of a case.
    func prompts(width: Int) throws -> [Tensor] {
        let count = fixture.inputs.filter { $0.name.hasPrefix("prompt") }.count
        return try (0..<count).map { try input("prompt\($0)", [nil, width]) }
    }

    /// What is visible when the smallest of one uniform number per token are kept.
    func visible(uniforms: String, samples: Int, tokens: Int, ratio: Double) throws -> [[Int]] {
        let values = try numbers(uniforms, count: samples * tokens)
        try require((0...1).contains(ratio), "a mask ratio is between 0 and 1, found \(ratio)")
        let count = tokens - MaskSchedule.rounded.maskedCount(ratio: ratio, tokens: tokens)
        return (0..<samples).map { sample in
            let row = values[sample * tokens..<(sample + 1) * tokens]
            return row.indices.sorted { row[$0] < row[$1] }.prefix(count).map { $0 - sample * tokens }
        }
    }

    /// 1 for hidden tokens, 0 for those in the lists.
    func mask(_ known: [[Int]], tokens: Int) -> [Double] {
        known.flatMap { list in
            var mask = [Double](repeating: 1, count: tokens)
            for token in list { mask[token] = 0 }
            return mask
        }
    }
}
