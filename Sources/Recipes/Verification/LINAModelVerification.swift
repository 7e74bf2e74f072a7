import Autoregression
import Backbones
import Checkpoints
import Foundation
import Layers
import Tensors

extension LINACheck {
    /// The model that a case's config describes in the original constructor's words.
    func modelConfiguration() throws -> LINAConfiguration {
        func encoder(_ key: String) throws -> [Int] {
            let values = try fixture.integers(key)
            try require(
                values.count == 3 && values.allSatisfy { $0 > 0 }, "\(key) is no [depth, width, heads]")
            return values
        }
        let (video, image) = (try encoder("video_encoder"), try encoder("image_encoder"))
        let (headDepth, headSize) = try pair("image_decoder")
        try require(video[1...] == image[1...], "its two encoders differ in width or heads")
        let (stride, pixels) = (try positive("image_stride"), try pair("image_size"))
        var configuration = LINAConfiguration(hiddenSize: image[1], heads: image[2], headSize: headSize)
        (configuration.conditionDepth, configuration.depth, configuration.headDepth) = (
            video[0], image[0], headDepth
        )
        configuration.inputChannels = try positive("image_dim")
        configuration.patchSize = 15 / stride + 1
        (configuration.height, configuration.width) = (pixels.0 / stride, pixels.1 / stride)
        let base = try fixture.integers("video_base_size")
        try require(base.count == 3, "video_base_size is no [frames, height, width]")
        (configuration.conditionHeight, configuration.conditionWidth) = (base[1], base[2])
        let grid = try pair("image_base_size")
        try require(
            grid == (configuration.grid.height, configuration.grid.width),
            "image_base_size \(grid) is not the grid \(configuration.grid) of the image")
        if let textWidth = config["text_token_dim"]?.integer {
            (configuration.classCount, configuration.textSize) = (0, textWidth)
            configuration.textLength = try positive("text_token_len")
        } else {
            let table = try fixture.parameter("label_embed.weight")
            try require(table.shape.count == 2 && table.shape[0] > 1, "label_embed.weight is \(table.shape)")
            configuration.classCount = table.shape[0] - 1
        }
        configuration.mixer = try mixer(try fixture.string("mixer"))
        try configuration.validate()
        return configuration
    }

    private func mixer(_ name: String) throws -> LINAMixer {
        switch name {
        case "": return .softmax
        case "_linear6": return .division
        case "_linear9": return .subtraction
        case "_linear_decouple1": return .divisionConvolution
        case "_linear_decouple10": return .subtractionConvolution
        case "_linear_decouple1_kvscale1", "_linear_decouple1_kvscale1_high_res": return .lina
        default: throw UnsupportedFixture("\(fixture.name): models with the mixer \"\(name)\" are not built")
        }
    }

    /// Condition tokens of the case's labels or prompts, those left out that a training step dropped.
    func condition(_ model: LINA, samples: Int) throws -> Tensor {
        let configuration = model.configuration
        guard configuration.textSize > 0 else {
            var labels: [Int?] = try labels("labels", samples: samples, classes: configuration.classCount)
            if fixture.file["input.label_drop_uniform"] != nil {
                let uniforms = try numbers("label_drop_uniform", count: samples)
                labels = zip(labels, uniforms).map { $1 > configuration.conditionDropout ? $0 : nil }
            }
            return model.condition(labels: labels)
        }
        var prompts: [Tensor?] = try prompts(width: configuration.textSize)
        try require(prompts.count == samples, "\(prompts.count) prompts for \(samples) samples")
        if fixture.file["input.text_drop_uniform"] != nil {
            let uniforms = try numbers("text_drop_uniform", count: samples)
            prompts = zip(prompts, uniforms).map { $1 < configuration.conditionDropout ? nil : $0 }
        }
        return model.condition(prompts: prompts)
    }
}

extension LINAVerification {
    /// A complete training step with all its draws.
    static func verifyTraining(_ check: inout LINACheck) throws {
        let configuration = try check.modelConfiguration()
        let store = check.store()
        let model = LINA(store.scope, configuration)
        try store.validate()
        let samples = try check.positive("batch")
        let image = try check.image(
            "x", [samples, configuration.inputChannels, configuration.height, configuration.width])
        let tokens = PatchEmbedding.tokens(of: image, patchSize: configuration.patchSize)
        let count = model.tokenGrid.count
        let objective = MaskedFlowObjective(repeats: try check.positive("loss_repeat"))
        let total = objective.repeats * samples
        let draw = MaskedFlowObjective.Draw(
            visible: try check.visible(
                uniforms: "mask_uniform", samples: samples, tokens: count,
                ratio: try check.numbers("mask_ratio", count: 1)[0]),
            levels: try check.numbers("timestep_normal", count: total * count).map {
                objective.table.trainingStep(normal: Float($0))
            }, noise: try check.input("noise", [total, count, model.tokenWidth]))

        let condition = try check.condition(model, samples: samples)
        let evaluation = objective.evaluate(model, tokens: tokens, condition: condition, draw: draw)
        try check.output("mask", check.mask(draw.visible, tokens: count))
        try check.output("cond", condition)
        try check.output("z", evaluation.features)
        let sigmas = draw.levels.map { objective.table.trainingSigmas[$0] }
        try check.output("sigma", sigmas.map(Double.init))
        try check.output("timestep", sigmas.map { Double(objective.table.time($0)) })
        try check.output("pred", predictions(model, tokens, evaluation.features, draw, sigmas, objective))
        try check.output("loss", evaluation.loss)
        try check.gradients(evaluation.loss.gradients(), [store])
    }

    /// The original's head answers for visible tokens as well.
    private static func predictions(
        _ model: LINA, _ tokens: Tensor, _ features: Tensor, _ draw: MaskedFlowObjective.Draw,
        _ sigmas: [Float],
        _ objective: MaskedFlowObjective
    ) -> Tensor {
        let shape = draw.noise.shape
        let rows: Shape = [shape[0] * shape[1], shape[2]]
        let noisy = MaskedFlowObjective.mix(
            tokens.repeatedSamples(objective.repeats).reshaped(rows), draw.noise.reshaped(rows), sigmas)
        let repeated = features.detached.repeatedSamples(objective.repeats)
        let condition = model.headCondition(repeated.reshaped([rows[0], repeated.shape[2]]))
        return model.head(noisy, time: sigmas.map(objective.table.time), condition: condition).detached
            .reshaped(shape)
    }

    /// A complete sampling run with recorded orders and noise.
    static func verifySampling(_ check: inout LINACheck) throws {
        let configuration = try check.modelConfiguration()
        let store = check.store(without: "vae.", isTracked: false)
        let model = LINA(store.scope, configuration)
        try store.validate()
        let (samples, count) = (try check.positive("batch"), model.tokenGrid.count)
        let plan = MaskSchedule.rounded.plan(
            orders: try check.orders("order", samples: samples, tokens: count),
            steps: try check.positive("num_inference_steps"))
        try check.output("num_pred", plan.map { $0[0].count })
        let scale = try check.fixture.number("guidance_scale")
        let guidance = GuidanceRamp.linear(
            start: check.config["min_guidance_scale"]?.number ?? scale, end: scale
        )
        .scales(steps: plan.count, tokens: count, remaining: [])
        try check.output("guidance", guidance, within: 1e-12)

        let noise = try check.recordedMaps("step_noise", steps: plan.count, samples: samples, configuration)
        let run = MaskedRun(
            model,
            sampler: FlowTokenSampler(
                table: FlowTable(shift: try check.fixture.number("shift")),
                stepCount: try check.positive("num_diffusion_steps")),
            condition: try check.condition(model, samples: samples),
            reference: scale > 1 ? try check.nullCondition(model, samples: samples) : nil, plan: plan,
            guidance: guidance
        ) { step, drawn in RecordedTokenNoise(draws: [noise[step].gatheringTokenRows(drawn)]) }
        var last: MaskedRun.Step?
        for step in run {
            if step.index == 0 { try check.output("z_first", step.features) }
            last = step
        }
        guard let last else { return }
        try check.output("z_last", last.features, within: LINACheck.sampleTolerance)
        let latents = PatchEmbedding.image(
            of: last.tokens, grid: model.tokenGrid, patchSize: configuration.patchSize)
        try check.imageOutput("latents", latents, within: LINACheck.sampleTolerance)
        if check.fixture.file["output.image"] != nil { try verifyImage(&check, latents) }
    }

    private static func verifyImage(_ check: inout LINACheck, _ latents: Tensor) throws {
        guard let settings = check.config["vae"] else {
            throw CheckpointFileError(
                file: check.fixture.path, problem: "its config describes no autoencoder")
        }
        let configuration = try check.autoencoder(settings, attends: true)
        let store = check.store("vae.", isTracked: false)
        let autoencoder = KLAutoencoder(store.scope, configuration)
        try store.validate()
        let image = autoencoder.decode(autoencoder.unscaled(latents))
        try check.bytes("image", image.bytes, shape: image.shape.extents)
    }
}

extension LINACheck {
    /// Noise maps `[steps, N, C, H, W]` as tokens of each step.
    func recordedMaps(_ name: String, steps: Int, samples: Int, _ configuration: LINAConfiguration) throws
        -> [Tensor]
    {
        let (c, h, w) = (configuration.inputChannels, configuration.height, configuration.width)
        let maps = try input(name, [steps, samples, c, h, w]).permuted([0, 1, 3, 4, 2])
        return (0..<steps).map {
            PatchEmbedding.tokens(
                of: maps.samples($0..<$0 + 1).reshaped([samples, h, w, c]), patchSize: configuration.patchSize
            )
        }
    }

    func nullCondition(_ model: LINA, samples: Int) throws -> Tensor {
        model.configuration.textSize > 0
            ? model.condition(prompts: Array(repeating: nil, count: samples))
            : model.condition(labels: Array(repeating: nil, count: samples))
    }
}

extension Tensor {
    /// Values −1…1 as 0…255, cut off (not rounded) to whole numbers.
    var bytes: [Double] { scalars.map { Double(min(255, max(0, (127.5 * $0 + 127.5)))).rounded(.down) } }
}
