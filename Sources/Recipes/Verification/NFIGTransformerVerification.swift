import Autoregression
import Backbones
import Checkpoints
import Layers
import Tensors

/// VAR's transformer: parts, whole forward passes with the loss, masks.
extension NFIGVerification {
    @Sendable static func verifyMasks(_ check: inout NFIGCheck) throws {
        let lists = check.config["patch_nums"]?.array ?? []
        for (index, list) in lists.enumerated() {
            guard let sides = list.integers, sides.allSatisfy({ $0 > 0 }) else {
                throw UnsupportedFixture("patch_nums \(index) lists no sizes")
            }
            let configuration = VARConfiguration(grids: sides.map { Grid($0) }, depth: 1)
            let length = configuration.tokenCount
            try check.output("level\(index)", configuration.levelOfToken)
            try check.output(
                "begin_end\(index)", configuration.ranges.flatMap { [$0.lowerBound, $0.upperBound] })
            try check.output(
                "allowed\(index)",
                configuration.visibleTokens.flatMap { visible in (0..<length).map { $0 < visible ? 1 : 0 } })
        }
    }

    @Sendable static func verifyAttention(_ check: inout NFIGCheck) throws {
        let (width, heads) = (try check.positive("C"), try check.positive("heads"))
        try check.require(width > 0 && heads > 0 && width % heads == 0, "\(width) channels in \(heads) heads")
        let store = ParameterStore(.loaded(try withoutTables(check)), isTracked: true)
        let attention = VARAttention(
            store.scope, width: width, heads: heads, normalizesQueries: try check.fixture.bool("attn_l2_norm")
        )
        try store.validate()
        let x = try tokens(check, "x", width)
        let y = attention(x)
        try check.output("y", y)
        try backward(&check, y, store, [("x", x)])
    }

    @Sendable static func verifyHeadNorm(_ check: inout NFIGCheck) throws {
        let (width, inner) = (try check.positive("C"), try check.positive("D"))
        let store = ParameterStore(.loaded(check.fixture.parameterTensors), isTracked: true)
        let norm = VARHeadNorm(store.scope, width: width, conditionWidth: inner)
        try store.validate()
        let x = try tokens(check, "x", width)
        let condition = try condition(check, x, inner)
        let y = norm(x, condition: condition)
        try check.output("y", y)
        try backward(&check, y, store, [("x", x), ("cond", condition)])
    }

    @Sendable static func verifyTransformerBlock(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let (width, shares) = (try check.positive("C"), try fixture.bool("shared_aln"))
        let configuration = VARConfiguration(
            grids: [Grid(1)], depth: 1, width: width, heads: try check.positive("heads"),
            mlpRatio: try check.ratio("mlp_ratio", of: width), sharesModulation: shares,
            normalizesQueries: try fixture.bool("attn_l2_norm"))
        try configuration.validate()
        let store = ParameterStore(.loaded(try withoutTables(check)), isTracked: true)
        let block = VARBlock(store.scope, configuration)
        try store.validate()
        let x = try tokens(check, "x", width)
        let levels = try fixture.input("level").integers
        try check.require(
            x.shape[0] > 0 && levels.count == x.shape[1], "input.level does not name one level per token")
        let condition = try condition(check, x, shares ? 6 * width : width)
        let y = sorted(x, by: levels) { sorted, visible in
            block(sorted, condition: condition, visibleTokens: visible)
        }
        try check.output("y", y)
        let gradients = try backward(&check, y, store, [("x", x)])
        if let gradients, let expected = fixture.file["grad_input.cond"],
            expected.elementCount == condition.elementCount
        {
            let gradient = gradients[condition] ?? .zeros(condition.shape)
            check.gradient(
                expected, gradient.reshaped(Shape(expected.shape)), like: gradient, channelsLast: false)
        }
    }

    /// Tokens in the order of their levels, in which every mask by level is a mask of prefixes, and back again.
    private static func sorted(
        _ x: Tensor, by levels: [Int], _ apply: (Tensor, [Int]) -> Tensor
    ) -> Tensor {
        let order = levels.indices.sorted { (levels[$0], $0) < (levels[$1], $1) }
        var inverse = order
        for (place, token) in order.enumerated() { inverse[token] = place }
        func moved(_ tokens: Tensor, _ order: [Int]) -> Tensor {
            tokens.gatheringTokens(Array(repeating: order, count: tokens.shape[0]))
        }
        let visible = order.map { token in levels.count { $0 <= levels[token] } }
        return moved(apply(moved(x, order), visible), inverse)
    }

    @Sendable static func verifyTransformer(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let configuration = try transformer(check)
        let store = ParameterStore(
            .loaded(
                try VARCheckpoint.parameters(
                    of: fixture.parameterTensors, configuration, name: fixture.name)), isTracked: true)
        let model = VAR(store.scope, configuration)
        try store.validate()
        let indices = try check.rows(fixture.input("gt_idx"))
        try check.require(
            !indices.isEmpty
                && indices.allSatisfy { row in
                    row.count == configuration.tokenCount
                        && row.allSatisfy { (0..<configuration.vocabulary).contains($0) }
                }, "input.gt_idx does not fit the levels")
        try verifyTeacherInputs(&check, configuration, indices)
        let inputs = try fixture.input("var_input")
        try check.require(
            inputs.shape == [
                indices.count, configuration.tokenCount - configuration.grids[0].count,
                configuration.tokenChannels,
            ],
            "input.var_input \(inputs.shape) does not fit the levels")
        let x = inputs.tensor.variable
        let logits = model(x.shape[1] > 0 ? x : nil, labels: try labels(check, count: indices.count))
        try check.output("logits", logits)
        let smoothing = Float(check.config["label_smooth"]?.number ?? 0)
        let perToken = logits.crossEntropy(indices.flatMap { $0 }, smoothing: smoothing)
        try check.output("loss_per_token", perToken.scalars.map(Double.init))
        let loss = VAR.loss(logits, indices: indices, smoothing: smoothing)
        try check.output("loss", [Double(loss.item)])
        guard let cotangent = fixture.file["cotangent.loss"], cotangent.elementCount == 1 else { return }
        let gradients = (loss * cotangent.floats[0]).gradients()
        check.inputGradient("var_input", gradients, x)
        check.parameterGradients(store, gradients)
    }

    /// The inputs again from the codes, where the case holds the tokenizer.
    private static func verifyTeacherInputs(
        _ check: inout NFIGCheck, _ configuration: VARConfiguration, _ indices: [[Int]]
    ) throws {
        guard let quantizer = try quantizer(check, configuration),
            let expected = check.fixture.file["input.var_input"]
        else { return }
        let perLevel = configuration.ranges.map { range in indices.flatMap { $0[range] } }
        guard let inputs = quantizer.teacherInputs(perLevel) else { return }
        check.result.addOutput(
            Comparison(name: "\(expected.name) from the codes", inputs, expected: expected),
            within: NFIGCheck.tolerance(for: expected))
    }

    static func transformer(_ check: NFIGCheck) throws -> VARConfiguration {
        let fixture = check.fixture
        let width = try check.positive("embed_dim")
        let configuration = VARConfiguration(
            grids: try check.grids("patch_nums"), depth: try fixture.integer("depth"),
            width: width, heads: try check.positive("num_heads"),
            mlpRatio: check.config["mlp_ratio"] == nil ? 4 : try check.ratio("mlp_ratio", of: width),
            vocabulary: try check.positive("V"),
            tokenChannels: try check.positive("Cvae"), classCount: try fixture.integer("num_classes"),
            sharesModulation: try fixture.bool("shared_aln"),
            normalizesQueries: try fixture.bool("attn_l2_norm"))
        try configuration.validate()
        return configuration
    }

    /// The tokenizer under `vae.quantize.`; nil when the case has none.
    static func quantizer(_ check: NFIGCheck, _ configuration: VARConfiguration) throws
        -> MultiScaleQuantizer?
    {
        let tensors = check.tensors("vae.quantize.")
        guard !tensors.isEmpty else { return nil }
        let shared = tensors.keys.filter { $0.hasPrefix("quant_resi.qresi_ls.") && $0.hasSuffix(".weight") }
            .count
        let count = shared > 0 ? shared : tensors["quant_resi.qresi.weight"] == nil ? 0 : 1
        let hasAny = tensors.keys.contains { $0.hasPrefix("quant_resi.") }
        let store = ParameterStore(.loaded(tensors), isTracked: false)
        let quantizer = try MultiScaleQuantizer(
            store.scope,
            QuantizerConfiguration(
                vocabulary: configuration.vocabulary, channels: configuration.tokenChannels,
                pyramid: PyramidConfiguration(grids: configuration.grids), usesBands: false,
                refinement: hasAny ? 0.5 : 0, refinements: count))
        try store.validate()
        return quantizer
    }

    /// Classes, all dropped where the case drops them.
    static func labels(_ check: NFIGCheck, count: Int) throws -> [Int?] {
        let labels = try check.fixture.input("label").integers
        let classes = max(0, try check.fixture.integer("num_classes"))
        try check.require(
            count > 0 && labels.count == count && labels.allSatisfy { (0...classes).contains($0) },
            "input.label does not fit the batch")
        return check.config["cond_drop_rate"]?.number == 1 ? labels.map { _ in nil } : labels
    }

    /// Parameters without the stored zero bias of the keys.
    private static func withoutTables(_ check: NFIGCheck) throws -> [String: Tensor] {
        check.fixture.parameterTensors.filter { !$0.key.hasSuffix("zero_k_bias") }
    }

    private static func tokens(_ check: NFIGCheck, _ name: String, _ width: Int) throws -> Tensor {
        let stored = try check.fixture.input(name)
        try check.requireRank(stored, 3)
        try check.require(
            stored.shape[2] == width && stored.shape[1] > 0,
            "\(stored.name) \(stored.shape) has not \(width) channels")
        return stored.tensor.variable
    }

    /// `[N, D]`, whatever axes of one the file has between.
    private static func condition(_ check: NFIGCheck, _ x: Tensor, _ width: Int) throws -> Tensor {
        let stored = try check.fixture.input("cond")
        try check.require(
            stored.elementCount == x.shape[0] * width,
            "\(stored.name) \(stored.shape) is not \(width) numbers per sample")
        return stored.tensor.reshaped([x.shape[0], width]).variable
    }

    @discardableResult
    private static func backward(
        _ check: inout NFIGCheck, _ y: Tensor, _ store: ParameterStore, _ inputs: [(String, Tensor)]
    ) throws -> Gradients? {
        guard let cotangent = check.fixture.file["cotangent.y"] else { return nil }
        try check.require(
            Shape(cotangent.shape) == y.shape, "cotangent.y \(cotangent.shape) does not fit \(y.shape)")
        let gradients = y.gradients(cotangent: cotangent.tensor)
        for (name, tensor) in inputs { check.inputGradient(name, gradients, tensor) }
        check.parameterGradients(store, gradients)
        return gradients
    }
}
