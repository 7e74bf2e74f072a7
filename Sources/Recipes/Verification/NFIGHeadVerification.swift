import Autoregression
import Backbones
import Checkpoints
import Diffusion
import Layers
import Tensors

/// Continuous tokens: MAR's and FAR's diffusion head, FAR's levels, and FAR whole.
extension NFIGVerification {
    /// The head alone: network, loss at given steps, and a guided sampling run with recorded noise.
    @Sendable static func verifyHead(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let (channels, width) = (try check.positive("target_channels"), try check.positive("width"))
        let hasLevel = try fixture.bool("index")
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let head = MARHead(
            store.scope / "net", channels: channels, outputs: 2 * channels,
            conditionWidth: try check.positive("z_channels"), width: width,
            depth: try check.positive("depth"))
        let level = hasLevel ? Linear(store.scope / "net.index_cond_embed", 1, width) : nil
        try store.validate()
        func condition(_ z: Tensor, _ index: Tensor?) -> Tensor {
            let c = head.condition(z)
            guard let level, let index else { return c }
            return c + level(index)
        }
        let x = try matrix(check, "x", channels)
        let z = try matrix(check, "z", try check.positive("z_channels"))
        let index = hasLevel ? try matrix(check, "index", 1).detached : nil
        let steps = try fixture.input("t").integers
        let rows = x.shape[0]
        try check.require(
            rows > 0 && steps.count == rows && z.shape[0] == rows
                && steps.allSatisfy { (0..<1000).contains($0) }
                && (index.map { $0.shape[0] == rows } ?? true),
            "inputs of different batches, or steps outside 0…999")
        let y = head(x, time: steps.map(Float.init), condition: condition(z, index))
        try check.output("net", y)
        if let cotangent = fixture.file["cotangent.net"], Shape(cotangent.shape) == y.shape {
            let gradients = y.gradients(cotangent: cotangent.tensor)
            check.inputGradient("x", gradients, x)
            check.inputGradient("z", gradients, z)
            check.parameterGradients(store, gradients)
        }
        try verifyHeadLoss(&check, store, rows: rows, channels: channels) { noisy, times in
            head(noisy, time: times, condition: condition(z.detached, index))
        }
        let sampleIndex = check.config["sample_index"]?.number
        try verifyHeadSampling(&check, head, rows: rows, channels: channels) { z in
            condition(z, sampleIndex.map { Tensor(repeating: Float($0), shape: [z.shape[0], 1]) })
        }
    }

    private static func verifyHeadLoss(
        _ check: inout NFIGCheck, _ store: ParameterStore, rows: Int, channels: Int,
        _ network: (Tensor, [Float]) -> Tensor
    ) throws {
        let objective = HybridObjective(process: GaussianProcess(.cosine))
        let target = try matrix(check, "target", channels).detached
        let noise = try matrix(check, "noise", channels).detached
        try check.require(
            target.shape == [rows, channels] && noise.shape == target.shape,
            "input.target and input.noise are of other batches")
        let example = objective.example(
            clean: target, noise: noise, steps: try check.fixture.input("t").integers)
        try check.output("x_t", example.noisy)
        let output = network(example.input, example.time)
        let loss = objective.evaluate(output: output.detached, example: example)
        try check.output("loss_per_token", loss.losses)
        try check.output("mse_per_token", loss.parts["mse"] ?? [])
        try check.output("vb_per_token", loss.parts["vb"] ?? [])
        let gradients = output.gradients(cotangent: loss.gradient)
        check.parameterGradients(store, gradients, prefix: "grad_loss_param.")
    }

    private static func verifyHeadSampling(
        _ check: inout NFIGCheck, _ head: MARHead, rows: Int, channels: Int, _ condition: (Tensor) -> Tensor
    ) throws {
        let fixture = check.fixture
        let process = try TokenDiffusionModel.process(steps: try check.positive("num_sampling_steps"))
        try check.output("timestep_map", process.timesteps)
        try check.output("betas_respaced", process.betas)
        let z = try matrix(check, "sample_z", try check.positive("z_channels")).detached
        let start = try matrix(check, "sample_noise0", channels).detached
        let noises = try fixture.input("sample_noises")
        try check.require(
            z.shape[0] == 2 * rows && start.shape[0] == rows
                && noises.shape == [process.stepCount, 2 * rows, channels],
            "the sampling inputs are of other batches")
        let model = TokenDiffusionModel(
            head: head, condition: condition(z).detached, guidanceScale: try fixture.number("cfg"))
        let first = Latent(start)
        let run = model.run(
            process, start: first.appending(first), noise: recorded(noises.tensor),
            temperature: try fixture.number("temperature"))
        let trace = try fixture.output("sample_trace")
        for step in run {
            compare(&check, "sample_trace, step \(step.index)", step.state.values, trace, part: step.index)
        }
    }

    /// Part k of the outermost axis, relative to that part's largest magnitude: untrained states grow by
    /// orders of magnitude from one to the next.
    private static func compare(
        _ check: inout NFIGCheck, _ name: String, _ values: [Double], _ expected: StoredTensor, part: Int
    ) {
        let size = expected.elementCount / max(1, expected.shape.first ?? 1)
        guard expected.elementCount >= (part + 1) * size, values.count == size else { return }
        let slice = StoredTensor(
            name: name, shape: [size], floats: Array(expected.floats[part * size..<(part + 1) * size]))
        check.result.addOutput(
            Comparison(name: name, values, shape: [size], expected: slice.doubles, shape: [size]),
            within: NFIGCheck.tolerance(for: slice))
    }

    /// `[steps, R, c]` as the draws of a run.
    private static func recorded(_ noises: Tensor) -> RecordedNoise {
        RecordedNoise(
            draws: (0..<noises.shape[0]).map {
                Latent(noises.samples($0..<$0 + 1).reshaped([noises.shape[1], noises.shape[2]]))
            })
    }

    private static func matrix(_ check: NFIGCheck, _ name: String, _ width: Int) throws -> Tensor {
        let stored = try check.fixture.input(name)
        try check.requireRank(stored, 2)
        try check.require(stored.shape[1] == width, "\(stored.name) \(stored.shape) has not \(width) columns")
        return stored.tensor.variable
    }

    @Sendable static func verifyFARLevels(_ check: inout NFIGCheck) throws {
        let x = try check.images(input: "x")
        for output in check.fixture.outputs where output.name.hasPrefix("level") {
            guard let level = Int(output.name.dropFirst("level".count)), level >= 0 else { continue }
            try check.output(output.name, images: FARSchedule.filtered(x, level: level))
        }
    }

    @Sendable static func verifyFARSchedules(_ check: inout NFIGCheck) throws {
        let schedule = FARSchedule(guidanceScale: try check.fixture.number("cfg"))
        try check.output("levels_nomask", FARSchedule.levels)
        try check.output("levels_mask", FARSchedule.maskedLevels)
        let steps = schedule.levels.indices
        try check.output("temperature_nomask", steps.map { schedule.temperature(step: $0) })
        for output in check.fixture.outputs {
            if output.name.hasPrefix("cfg_nomask") {
                try check.output(output.name, steps.map { schedule.guidance(step: $0) })
            } else if let count = Int(output.name.drop { !$0.isNumber }),
                output.name.hasPrefix("loss_weight_")
            {
                try check.output(output.name, FARSchedule.lossWeights(count: count))
            }
        }
    }

    @Sendable static func verifyFAR(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        var configuration = MARConfiguration()
        configuration.inputChannels = try check.positive("vae_embed_dim")
        let side = Int(Double(try check.positive("seq")).squareRoot())
        (configuration.height, configuration.width) = (side, side)
        configuration.hiddenSize = try check.positive("dim")
        configuration.heads = try check.positive("heads")
        configuration.encoderDepth = try check.positive("depth")
        configuration.decoderDepth = configuration.encoderDepth
        configuration.mlpRatio = try check.ratio("mlp_ratio", of: configuration.hiddenSize)
        configuration.classCount = try check.positive("classes")
        configuration.bufferSize = try check.positive("buffer_size")
        configuration.headDepth = try check.positive("diffloss_d")
        configuration.headSize = try check.positive("diffloss_w")
        try check.require(
            side > 0 && side * side == (try check.positive("seq")) && configuration.heads > 0
                && configuration.hiddenSize % configuration.heads == 0, "its config describes no network")
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = FAR(store.scope, configuration)
        try store.validate()
        let stored = try fixture.input("tokens")
        let labels = try fixture.input("label").integers
        try check.require(
            !labels.isEmpty && stored.shape == [labels.count, side * side, configuration.inputChannels]
                && labels.allSatisfy { (0..<configuration.classCount).contains($0) },
            "inputs do not fit the network")
        let tokens = stored.tensor.variable
        let z = model.features(of: tokens, labels: labels)
        try check.output("z", z)
        if let cotangent = fixture.file["cotangent.z"], Shape(cotangent.shape) == z.shape {
            let gradients = z.gradients(cotangent: cotangent.tensor)
            check.inputGradient("tokens", gradients, tokens)
            check.parameterGradients(store, gradients)
        }
        try verifyFARSampling(&check, model, configuration, labels)
    }

    private static func verifyFARSampling(
        _ check: inout NFIGCheck, _ model: FAR, _ configuration: MARConfiguration, _ labels: [Int]
    ) throws {
        let fixture = check.fixture
        let schedule = FARSchedule(
            levels: try fixture.integers("levels"), guidanceScale: try fixture.number("cfg"))
        let process = try TokenDiffusionModel.process(steps: try check.positive("num_sampling_steps"))
        let (count, grid, channels) = (labels.count, configuration.grid, configuration.inputChannels)
        let rows = count * grid.count
        let (starts, noises) = (try fixture.input("noise_init"), try fixture.input("noise_steps"))
        try check.require(
            starts.shape == [schedule.levels.count, rows, channels]
                && noises.shape == [schedule.levels.count, process.stepCount, 2 * rows, channels],
            "the recorded noise does not fit the levels")
        let expected = try fixture.output("sampled_per_level")
        let image: Shape = [count, grid.height, grid.width, channels]
        var tokens = Tensor.zeros([count, grid.count, channels])
        for (step, level) in schedule.levels.enumerated() {
            let features = model.features(
                of: .concatenateSamples([tokens, tokens]), labels: labels + labels.map { _ in Int?.none })
            let flat = features.reshaped([2 * rows, features.shape[2]])
            let head = TokenDiffusionModel(
                head: model.network.diffusionHead,
                condition: model.headCondition(flat, level: level).detached,
                guidanceScale: schedule.guidance(step: step))
            let start = Latent(starts.tensor.samples(step..<step + 1).reshaped([rows, channels]))
            let noise = noises.tensor.samples(step..<step + 1).reshaped([
                process.stepCount, 2 * rows, channels,
            ])
            let drawn = head.run(
                process, start: start.appending(start), noise: recorded(noise),
                temperature: schedule.temperature(step: step)
            ).finished().samples(in: 0..<rows)
            compare(&check, "sampled_per_level, level \(step)", drawn.values, expected, part: step)
            let next = drawn.tensor.reshaped(image)
            let isLast = step + 1 == schedule.levels.count
            tokens = (isLast ? next : FARSchedule.filtered(next, level: schedule.levels[step + 1]))
                .reshaped(tokens.shape)
        }
        try check.output("tokens", images: tokens.reshaped(image))
    }
}
