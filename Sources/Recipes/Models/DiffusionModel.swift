import Backbones
import Diffusion
import Layers
import Tensors

/// A denoiser of whole images, drawn from by a solver.
public struct DiffusionModel: ImageModel {
    public let network: any Denoiser
    /// Of the images or latents.
    public let channels: Int

    public init(_ network: any Denoiser, channels: Int) {
        self.network = network
        self.channels = channels
    }

    public func trainingTask(_ configuration: TrainingConfiguration) -> any TrainingTask {
        let model = configuration.model
        return DiffusionTask(
            model: network, objective: configuration.objective.makeObjective(), seed: configuration.seed,
            labelDropout: model.canDropLabels ? model.labelDropout : 0)
    }

    public func imageSampler(_ settings: SamplerSettings, objective: ObjectiveSettings) throws
        -> any ImageSampler
    {
        DiffusionSampler(
            network: RowwiseDenoiser(network), channels: channels, settings: settings,
            prediction: objective.prediction,
            method: try Self.method(settings, for: objective))
    }

    /// - Throws: `ConfigurationError` when settings are not those of whole images, or do not go together.
    static func method(_ settings: SamplerSettings, for objective: ObjectiveSettings) throws -> SamplingMethod
    {
        try settings.requireNoGroup(but: [])
        return try settings.method(for: objective)
    }
}

/// Draws images from noise with a solver.
struct DiffusionSampler: ImageSampler {
    let network: RowwiseDenoiser
    let channels: Int
    let settings: SamplerSettings
    let prediction: Prediction
    let method: SamplingMethod

    var stepCount: Int { method.grid.count - 1 }
    var facts: [(name: String, value: String)] {
        [("solver", "\(settings.solver.rawValue), \(stepCount) steps")]
    }

    func samples(
        _ items: [GenerationPlan.Item], size: ImageSize, onStep: (ImageSamplerStep) throws -> Bool
    ) rethrows -> Tensor? {
        let run = makeRun(items, size)
        var result = run.start
        for step in run {
            result = step.state
            let clean = step.clean
            guard
                try onStep(ImageSamplerStep(index: step.index, count: step.count) { clean.tensor })
            else { return nil }
        }
        return result.tensor
    }

    private func makeRun(_ items: [GenerationPlan.Item], _ size: ImageSize) -> SamplingRun {
        // A run before this one may have had other weights.
        network.forgetConditions()
        let model = NetworkModel(network, prediction: prediction)
        let guided = GuidedModel(
            model, prediction: prediction, labels: items.map(\.label), guidance: settings.guidance.guidance,
            clipping: settings.clip.clipping)
        let noise = SeededNoise(seeds: items.map(\.seed))
        let shape = Shape([items.count, size.height, size.width, channels])
        return SamplingRun(
            guided, solver: method.solver, grid: method.grid, path: method.path, noise: noise,
            start: method.startScale * noise.latent(draw: 0, shape: shape))
    }
}

extension DiCoConfiguration: ModelArchitecture {
    public var name: String { "DiCo" }
    public var labelDropout: Double { classDropout }

    public func check(_ objective: ObjectiveSettings) throws {
        try objective.requireVariance(learned: learnSigma)
    }

    public func check(_ sampler: SamplerSettings, for objective: ObjectiveSettings) throws {
        _ = try DiffusionModel.method(sampler, for: objective)
    }

    public func stages(_ size: ImageSize) -> [ModelStage] {
        stageCosts(height: size.height, width: size.width).map {
            ModelStage(
                name: $0.stage, parameterCount: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates)
        }
    }

    public func makeModel(_ scope: Scope) -> any ImageModel {
        DiffusionModel(DiCo(scope, self), channels: inputChannels)
    }
}
