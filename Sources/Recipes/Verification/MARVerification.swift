import Autoregression
import Backbones
import Checkpoints
import Diffusion
import Layers
import Tensors

/// MAR's diffusion head alone, as a predictor whose features are given.
private struct LoneMARHead: MaskedTokenPredictor {
    let marHead: MARHead
    let tokenWidth: Int
    let tokenGrid = TokenGrid(1, 1)

    func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor { condition }
    func headCondition(_ features: Tensor) -> Tensor { marHead.condition(features) }
    func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        marHead(noisy, time: time, condition: condition)
    }
}

extension LINACheck {
    /// The loss head whose parameters begin with `net.`.
    fileprivate func lossHead(_ store: ParameterStore) throws -> LoneMARHead {
        let channels = try positive("target_channels")
        let head = MARHead(
            store.scope / "net", channels: channels, outputs: 2 * channels,
            conditionWidth: try positive("z_channels"), width: try positive("width"),
            depth: try positive("depth"))
        try store.validate()
        return LoneMARHead(marHead: head, tokenWidth: channels)
    }

    fileprivate func steps(_ name: String, count: Int, below limit: Int) throws -> [Int] {
        let values = try fixture.input(name).integers
        try require(
            values.count == count && values.allSatisfy { (0..<limit).contains($0) },
            "input.\(name) must hold \(count) steps below \(limit)")
        return values
    }

    fileprivate func samplingProcess() throws -> GaussianProcess {
        try GaussianProcess(.cosine).respaced(String(try positive("num_sampling_steps")))
    }
}

extension LINAVerification {
    static func verifyMARHead(_ check: inout LINACheck) throws {
        let channels = try check.positive("in_channels")
        let store = check.store()
        let head = MARHead(
            store.scope, channels: channels, outputs: try check.positive("out_channels"),
            conditionWidth: try check.positive("z_channels"), width: try check.positive("model_channels"),
            depth: try check.positive("num_res_blocks"))
        try store.validate()
        let x = try check.input("x", [nil, channels]).variable
        let c = try check.input("c", [x.shape[0], try check.positive("z_channels")]).variable
        let time = try check.numbers("t", count: x.shape[0]).map { Float($0) }
        let y = head(x, time: time, condition: head.condition(c))
        try check.output("y", y)
        try check.backward([("y", y)], inputs: [("x", x), ("c", c)], store)
    }

    static func verifyDiffusionLoss(_ check: inout LINACheck) throws {
        let store = check.store()
        let head = try check.lossHead(store)
        let target = try check.input("target", [nil, head.tokenWidth])
        let rows = target.shape[0]
        let z = try check.input("z", [rows, try check.positive("z_channels")]).variable
        let mask = try check.numbers("mask", count: rows)
        let process = GaussianProcess(.cosine, stepCount: try check.positive("T"))
        let objective = HybridObjective(process: process)
        let example = objective.example(
            clean: target, noise: try check.input("noise", [rows, head.tokenWidth]),
            steps: try check.steps("t", count: rows, below: process.stepCount))
        let output = head.head(example.input, time: example.time, condition: head.headCondition(z))
        let total = mask.reduce(0, +)
        try check.require(total > 0, "input.mask hides everything")
        let loss = objective.evaluate(
            output: output.detached, example: example, weights: mask.map { $0 / total })
        try check.output("mse", loss.parts["mse"] ?? [])
        try check.output("vb", loss.parts["vb"] ?? [])
        try check.output("loss", [zip(loss.losses, mask).reduce(0) { $0 + $1.0 * $1.1 } / total])
        try check.gradients(output.gradients(cotangent: loss.gradient), inputs: [("z", z)], [store])
    }

    static func verifyDiffusionHeadSampling(_ check: inout LINACheck) throws {
        let store = check.store(isTracked: false)
        let head = try check.lossHead(store)
        let process = try check.samplingProcess()
        try check.output("timestep_map", process.timesteps)
        try check.output("alphas_cumprod", process.alphasCumprod, within: 1e-10)
        try check.output("betas", process.betas, within: 1e-10)
        let guidance = try check.fixture.number("cfg")
        let start = try check.input("init_noise", [nil, head.tokenWidth])
        let rows = start.shape[0]
        let isGuided = guidance != 1
        let all = isGuided ? 2 * rows : rows
        let z = try check.input("z", [all, try check.positive("z_channels")])
        let steps = try check.input("step_noise", [process.stepCount, all, head.tokenWidth])
        let sampler = DiffusionTokenSampler(
            process: process, temperature: try check.fixture.number("temperature"))
        /// The half of the recorded noise that belongs to the conditional or the unconditional rows.
        func draws(_ range: Range<Int>) -> [Tensor] {
            [start]
                + (0..<process.stepCount).map {
                    steps.samples($0..<$0 + 1).reshaped([all, head.tokenWidth]).samples(range)
                }
        }
        let sample = sampler.sample(
            features: z.samples(0..<rows), reference: isGuided ? z.samples(rows..<all) : nil,
            guidance: guidance,
            of: head, noise: RecordedTokenNoise(draws: draws(0..<rows)))
        // Under guidance the original lets the unconditional rows run along and throws them away.
        let expected = try check.fixture.output("sample")
        let kept = Array(expected.doubles.prefix(rows * head.tokenWidth))
        check.result.addOutput(
            Comparison(
                name: "sample", sample.scalars.map(Double.init), shape: [rows, head.tokenWidth],
                expected: kept,
                shape: [rows, head.tokenWidth]), within: LINACheck.sampleTolerance)
    }

    /// The model of a case, from the original constructor's words.
    private static func model(_ check: LINACheck, _ store: ParameterStore) throws -> MAR {
        var configuration = MARConfiguration()
        configuration.inputChannels = try check.positive("vae_embed_dim")
        let side = try check.positive("img_size") / (check.config["vae_stride"]?.integer ?? 16)
        (configuration.height, configuration.width) = (side, side)
        configuration.patchSize = check.config["patch_size"]?.integer ?? 1
        configuration.hiddenSize = try check.positive("embed_dim")
        configuration.heads = try check.positive("num_heads")
        configuration.encoderDepth = try check.positive("encoder_depth")
        configuration.decoderDepth = try check.positive("decoder_depth")
        configuration.classCount = try check.positive("class_num")
        configuration.bufferSize = try check.positive("buffer_size")
        (configuration.headDepth, configuration.headSize) = (
            try check.positive("diffloss_d"), try check.positive("diffloss_w")
        )
        try check.require(
            configuration.patchSize > 0 && side > 0 && side % configuration.patchSize == 0
                && configuration.hiddenSize % configuration.heads == 0, "its config describes no model")
        let model = MAR(store.scope, configuration)
        try store.validate()
        return model
    }

    static func verifyMARTraining(_ check: inout LINACheck) throws {
        let store = check.store()
        let model = try model(check, store)
        let (configuration, count) = (model.configuration, model.tokenGrid.count)
        let samples = try check.positive("batch")
        let image = try check.image(
            "x", [samples, configuration.inputChannels, configuration.height, configuration.width])
        let tokens = MAR.tokens(of: image, patchSize: configuration.patchSize)
        let orders = try check.orders("orders", samples: samples, tokens: count)
        let ratio = try check.numbers("mask_ratio", count: 1)[0]
        try check.require((0...1).contains(ratio), "a mask ratio is between 0 and 1, found \(ratio)")
        let masked = MaskSchedule.floored.maskedCount(ratio: ratio, tokens: count)
        let visible = orders.map { Array($0[masked...]) }
        let mask = check.mask(visible, tokens: count)
        try check.output("mask", mask)

        let dropout = try check.fixture.number("label_drop_prob")
        let labels = zip(
            try check.labels("labels", samples: samples, classes: configuration.classCount),
            try check.numbers("label_drop_uniform", count: samples)
        ).map { $1 < dropout ? nil : Optional($0) }
        let z = model.features(of: tokens, visible: visible, condition: model.condition(labels: labels))
        try check.output("z", z)

        try verifyMARLoss(&check, model, tokens: tokens, features: z, mask: mask, store)
    }

    /// The diffusion loss over the hidden tokens, and its gradients.
    private static func verifyMARLoss(
        _ check: inout LINACheck, _ model: MAR, tokens: Tensor, features z: Tensor, mask: [Double],
        _ store: ParameterStore
    ) throws {
        let repeats = try check.positive("diffusion_batch_mul")
        let rows = repeats * mask.count
        let process = GaussianProcess(.cosine)
        let objective = HybridObjective(process: process)
        let example = objective.example(
            clean: tokens.repeatedSamples(repeats).reshaped([rows, model.tokenWidth]),
            noise: try check.input("noise", [rows, model.tokenWidth]),
            steps: try check.steps("t", count: rows, below: process.stepCount))
        let features = z.repeatedSamples(repeats).reshaped([rows, model.configuration.hiddenSize])
        let output = model.head(
            example.input, time: example.time, condition: model.headCondition(features))
        let weights = (0..<repeats).flatMap { _ in mask }
        let total = weights.reduce(0, +)
        let loss = objective.evaluate(
            output: output.detached, example: example, weights: weights.map { $0 / max(total, 1) })
        try check.output("loss", [zip(loss.losses, weights).reduce(0) { $0 + $1.0 * $1.1 } / max(total, 1)])
        try check.gradients(output.gradients(cotangent: loss.gradient), [store])
    }

    static func verifyMARSampling(_ check: inout LINACheck) throws {
        let store = check.store(isTracked: false)
        let model = try model(check, store)
        let (samples, count) = (try check.positive("batch"), model.tokenGrid.count)
        let steps = try check.positive("num_iter")
        let orders = try check.orders("orders", samples: samples, tokens: count)
        let plan = MaskSchedule.floored.plan(orders: orders, steps: steps)
        let scale = try check.fixture.number("cfg")
        let remaining = Array(MaskSchedule.floored.remaining(tokens: count, steps: steps).dropFirst())
        let ramp: GuidanceRamp =
            try check.fixture.string("cfg_schedule") == "linear" ? .known(end: scale) : .constant(scale)
        let guidance = ramp.scales(steps: steps, tokens: count, remaining: remaining)
        try check.output("cfg_iter", guidance, within: 1e-7)
        let isGuided = scale != 1
        try check.output("rows", plan.map { $0.reduce(0) { $0 + $1.count } * (isGuided ? 2 : 1) })

        let labels = try check.labels("labels", samples: samples, classes: model.configuration.classCount)
        let process = try check.samplingProcess()
        let noise = try recordedNoise(
            check, plan: plan, width: model.tokenWidth, steps: process.stepCount, isGuided: isGuided)
        let run = MaskedRun(
            model,
            sampler: DiffusionTokenSampler(
                process: process, temperature: try check.fixture.number("temperature")),
            condition: model.condition(labels: labels),
            reference: isGuided ? model.condition(labels: Array(repeating: nil, count: samples)) : nil,
            plan: plan,
            guidance: guidance
        ) { step, _ in noise[step] }
        let latents = MAR.image(
            of: run.finished(), grid: model.tokenGrid, patchSize: model.configuration.patchSize)
        try check.imageOutput("latents", latents, within: LINACheck.sampleTolerance)
    }

    private static func recordedNoise(
        _ check: LINACheck, plan: [[[Int]]], width: Int, steps: Int, isGuided: Bool
    ) throws -> [RecordedTokenNoise] {
        try plan.enumerated().map { index, lists in
            let rows = lists.reduce(0) { $0 + $1.count }
            let all = isGuided ? 2 * rows : rows
            let label = index < 10 ? "0\(index)" : "\(index)"
            if rows == 0 { return RecordedTokenNoise(draws: []) }
            let start = try check.input("init_noise" + label, [rows, width])
            let noise = try check.input("step_noise" + label, [steps, all, width])
            return RecordedTokenNoise(
                draws: [start]
                    + (0..<steps).map { noise.samples($0..<$0 + 1).reshaped([all, width]).samples(0..<rows) })
        }
    }

    /// Tables of both schedules, mask ratios, orders.
    static func verifyMaskSchedules(_ check: inout LINACheck) throws {
        guard let combinations = check.config["combos"]?.array?.compactMap(\.integers),
            combinations.allSatisfy({ $0.count == 2 && $0.allSatisfy { $0 > 0 } })
        else { throw CheckpointFileError(file: check.fixture.path, problem: "its config names no combos") }
        let quantiles = try check.fixture.input("ratio_quantile").doubles
        let ratios = quantiles.map { MaskRatio().ratio(quantile: $0) }
        try check.output("mask_ratio", ratios, within: 1e-9)
        for combination in combinations {
            let (tokens, steps) = (combination[0], combination[1])
            try verifySchedule(&check, tokens: tokens, steps: steps)
            for (prefix, schedule) in [("lina_visible", MaskSchedule.rounded), ("mar_masked", .floored)] {
                guard check.fixture.file["output.\(prefix)_n\(tokens)"] != nil else { continue }
                let masked = ratios.map { schedule.maskedCount(ratio: $0, tokens: tokens) }
                try check.output(
                    "\(prefix)_n\(tokens)", schedule == .rounded ? masked.map { tokens - $0 } : masked)
            }
        }
        for input in check.fixture.inputs where input.name.hasPrefix("order_uniform_") {
            try check.require(input.shape.count == 2, "input.\(input.name) is \(input.shape)")
            let (values, width) = (input.doubles, input.shape[1])
            let order = (0..<input.shape[0]).flatMap { row in
                (0..<width).sorted { values[row * width + $0] < values[row * width + $1] }
            }
            try check.output("order_" + input.name.dropFirst("order_uniform_".count), order)
        }
    }

    private static func verifySchedule(_ check: inout LINACheck, tokens: Int, steps: Int) throws {
        let label = "n\(tokens)_s\(steps)"
        let rounded = MaskSchedule.rounded.counts(tokens: tokens, steps: steps)
        try check.output(
            "lina_mask_length_" + label, MaskSchedule.rounded.remaining(tokens: tokens, steps: steps))
        try check.output("lina_num_preds_" + label, rounded)
        let left = Array(MaskSchedule.floored.remaining(tokens: tokens, steps: steps).dropFirst())
        try check.output("mar_mask_len_" + label, left.map { max(1, $0) })
        try check.output("mar_num_pred_" + label, MaskSchedule.floored.counts(tokens: tokens, steps: steps))
        for output in check.fixture.outputs where output.name.hasSuffix("_" + label) {
            let parts = output.name.split(separator: "_")
            if parts.count > 4, parts[1] == "guidance", let end = Double(parts[2]),
                let start = Double(parts[3].dropFirst(3))
            {
                let scales = GuidanceRamp.linear(start: start, end: end)
                    .scales(steps: rounded.count, tokens: tokens, remaining: [])
                try check.output(output.name, scales, within: 1e-12)
            } else if parts.count > 4, parts[1] == "cfg", let end = Double(parts[2]) {
                let ramp: GuidanceRamp = parts[3] == "linear" ? .known(end: end) : .constant(end)
                let scales = ramp.scales(steps: steps, tokens: tokens, remaining: left)
                try check.output(output.name, scales, within: 1e-7)
            }
        }
    }
}
