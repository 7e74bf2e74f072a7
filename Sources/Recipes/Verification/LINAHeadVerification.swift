import Autoregression
import Backbones
import Checkpoints
import Layers
import Tensors

/// A diffusion head alone, as a predictor whose features are given.
struct LoneFlowHead: MaskedTokenPredictor {
    let flowHead: FlowHead
    let tokenGrid: TokenGrid
    let tokenWidth: Int
    /// `[N, n, D]`.
    var given: Tensor = .zeros([0, 0, 0])

    func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor { given }
    func headCondition(_ features: Tensor) -> Tensor { flowHead.condition(features) }
    func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        flowHead(noisy, time: time, condition: condition)
    }
}

/// Noise that a case recorded.
struct RecordedTokenNoise: TokenNoise {
    let draws: [Tensor]

    func draw(_ index: Int, shape: Shape) -> Tensor {
        index < draws.count ? draws[index].reshaped(shape) : .zeros(shape)
    }
}

extension LINACheck {
    /// The head that the case's config describes.
    func head(_ store: ParameterStore) throws -> LoneFlowHead {
        let (channels, patch) = (try positive("image_dim"), try positive("patch_size"))
        let (height, width) = try pair("hw")
        let head = FlowHead(
            store.scope, channels: channels, patchSize: patch, conditionWidth: try positive("cond_dim"),
            width: try positive("embed_dim"), depth: try positive("depth"),
            featureCount: config["freq_dim"] == nil ? 256 : try positive("freq_dim"))
        try store.validate()
        return LoneFlowHead(
            flowHead: head, tokenGrid: TokenGrid(height, width), tokenWidth: patch * patch * channels)
    }

    /// An image input as tokens of the head.
    func tokens(_ name: String, of head: LoneFlowHead, samples: Int?) throws -> (
        image: Tensor, tokens: Tensor
    ) {
        let patch = try positive("patch_size")
        let image = try input(
            name,
            [samples, try positive("image_dim"), head.tokenGrid.height * patch, head.tokenGrid.width * patch]
        ).variable
        return (image, PatchEmbedding.tokens(of: image.permuted([0, 2, 3, 1]), patchSize: patch))
    }
}

extension LINAVerification {
    /// The head's velocities for all tokens, or for chosen ones while the others pass through.
    static func verifyHead(_ check: inout LINACheck) throws {
        let store = check.store()
        let head = try check.head(store)
        let count = head.tokenGrid.count
        let (x, tokens) = try check.tokens("x", of: head, samples: nil)
        let samples = x.shape[0]
        let z = try check.input("z", [samples, count, try check.positive("cond_dim")]).variable
        let isPerToken = try check.fixture.input("timestep").shape.count == 2
        let times = try check.numbers("timestep", count: isPerToken ? samples * count : samples).map {
            Float($0)
        }
        let chosen =
            check.fixture.file["input.pred_ids"] == nil
            ? Array(repeating: Array(0..<count), count: samples)
            : try check.indices("pred_ids", samples: samples, below: count)
        let time = chosen.enumerated().flatMap { sample, list in
            list.map { times[isPerToken ? sample * count + $0 : sample] }
        }
        let velocities = head.head(
            tokens.gatheringTokenRows(chosen), time: time,
            condition: head.headCondition(z.gatheringTokenRows(chosen)))
        let prediction = tokens.replacingTokens(chosen, with: velocities)
        try check.output("pred", prediction)
        try check.backward([("pred", prediction)], inputs: [("x", x), ("z", z)], store)
    }

    static func verifyFlowTable(_ check: inout LINACheck) throws {
        let training = try check.positive("num_train_timesteps")
        guard let shifts = check.config["shifts"]?.numbers else {
            throw CheckpointFileError(file: check.fixture.path, problem: "its config names no shifts")
        }
        for shift in shifts {
            let table = FlowTable(trainingSteps: training, shift: shift)
            let label = shift == shift.rounded() ? String(Int(shift)) : String(shift)
            let sigmas = table.trainingSigmas
            try check.output("train_sigmas_shift\(label)", sigmas.map(Double.init))
            try check.output("train_timesteps_shift\(label)", sigmas.map { Double(table.time($0)) })
            for steps in try check.fixture.integers("steps") where steps > 0 {
                let levels = table.samplingSigmas(steps: steps)
                try check.output("sigmas_shift\(label)_steps\(steps)", levels.map(Double.init))
                try check.output(
                    "timesteps_shift\(label)_steps\(steps)", levels.dropLast().map { Double(table.time($0)) })
            }
        }
        try verifyNoising(&check, FlowTable(trainingSteps: training))
    }

    /// Drawn levels, the noisy tokens, and a trajectory along recorded velocities.
    private static func verifyNoising(_ check: inout LINACheck, _ table: FlowTable) throws {
        let x = try check.input("x", [nil, nil, nil])
        let rows: Shape = [x.shape[0] * x.shape[1], x.shape[2]]
        let noise = try check.input("noise", x.shape.extents)
        let normals = try check.numbers("normal", count: rows[0])
        let steps = normals.map { table.trainingStep(normal: Float($0)) }
        try check.output("index", steps)
        let sigmas = steps.map { table.trainingSigmas[$0] }
        try check.output("sigma", sigmas.map(Double.init))
        try check.output("timestep", sigmas.map { Double(table.time($0)) })
        let noisy = MaskedFlowObjective.mix(x.reshaped(rows), noise.reshaped(rows), sigmas)
        try check.output("x_t", noisy.reshaped(x.shape))

        let count = try check.positive("trajectory_steps")
        let velocity = try check.input("velocity", [count] + x.shape.extents)
        let levels = table.samplingSigmas(steps: count)
        var (state, states) = (noise, [Tensor]())
        for step in 0..<count {
            state =
                state + velocity.samples(step..<step + 1).reshaped(x.shape)
                * (levels[step + 1] - levels[step])
            states.append(state.reshaped(Shape([1] + x.shape.extents)))
        }
        try check.output("trajectory", Tensor.concatenateSamples(states))
    }

    static func verifyFlowLoss(_ check: inout LINACheck) throws {
        let store = check.store()
        var head = try check.head(store)
        let count = head.tokenGrid.count
        let (_, tokens) = try check.tokens("x", of: head, samples: nil)
        let samples = tokens.shape[0]
        let z = try check.input("z", [samples, count, try check.positive("cond_dim")]).variable
        head.given = z
        let objective = MaskedFlowObjective(repeats: try check.positive("loss_repeat"))
        let total = objective.repeats * samples * count
        let mask = try check.numbers("mask", count: samples * count)
        let levels = try check.numbers("timestep_normal", count: total).map {
            objective.table.trainingStep(normal: Float($0))
        }
        let noise = try check.input("noise", [objective.repeats * samples, count, head.tokenWidth])
        let draw = MaskedFlowObjective.Draw(
            visible: (0..<samples).map { sample in (0..<count).filter { mask[sample * count + $0] == 0 } },
            levels: levels, noise: noise)
        let evaluation = objective.evaluate(head, tokens: tokens.detached, condition: z, draw: draw)
        let sigmas = objective.table.trainingSigmas
        try check.output("timestep", levels.map { Double(objective.table.time(sigmas[$0])) })
        try check.output("loss", evaluation.loss)
        try check.gradients(evaluation.loss.gradients(), inputs: [("z", z)], [store])
    }

    static func verifyDenoising(_ check: inout LINACheck) throws {
        let store = check.store(isTracked: false)
        let head = try check.head(store)
        let (count, guidance) = (head.tokenGrid.count, try check.fixture.number("guidance_scale"))
        let noise = try check.tokens("noise", of: head, samples: nil).tokens.detached
        let samples = noise.shape[0]
        let isGuided = guidance > 1
        let z = try check.input(
            "z", [isGuided ? 2 * samples : samples, count, try check.positive("cond_dim")])
        let sampler = FlowTokenSampler(
            table: FlowTable(shift: try check.fixture.number("shift")),
            stepCount: try check.positive("num_diffusion_steps"))
        func sample(_ chosen: [[Int]]) -> Tensor {
            sampler.sample(
                features: z.samples(0..<samples).gatheringTokenRows(chosen),
                reference: isGuided ? z.samples(samples..<2 * samples).gatheringTokenRows(chosen) : nil,
                guidance: guidance, of: head,
                noise: RecordedTokenNoise(draws: [noise.gatheringTokenRows(chosen)]))
        }
        guard check.fixture.file["input.pred_ids"] != nil else {
            let all = Array(repeating: Array(0..<count), count: samples)
            try check.output(
                "tokens", sample(all).reshaped([samples, count, head.tokenWidth]),
                within: LINACheck.sampleTolerance)
            return
        }
        let chosen = try check.indices("pred_ids", samples: samples, below: count)
        let drawn = sample(chosen)
        try check.output(
            "predicted", drawn.reshaped([samples, chosen[0].count, head.tokenWidth]),
            within: LINACheck.sampleTolerance)
    }
}
