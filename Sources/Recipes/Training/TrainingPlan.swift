import Checkpoints
import Diffusion
import Layers
import Tensors
import Training

/// What a training run will do, decided before the first step.
public struct TrainingPlan: Sendable {
    public let configuration: TrainingConfiguration
    public let data: TrainingData
    public let heldOutCount: Int
    /// What every checkpoint of the run carries.
    public internal(set) var checkpointConfiguration: CheckpointConfiguration

    /// Opens the data and checks that model, data and objective go together.
    /// - Parameter origin: what errors call the configuration.
    /// - Throws: `SettingsError`, `DatasetError`, errors of opening the data.
    public init(_ configuration: TrainingConfiguration, origin: String) throws {
        let base = try TrainingData(configuration.data, origin: origin)
        let (training, heldOutCount) = try base.holdingOut(configuration.data.holdout)
        let (names, count) = (base.samples.classNames, configuration.model.classCount)
        guard count == 0 || names.count == count else {
            throw SettingsError(
                origin: origin, key: "model.classCount",
                problem:
                    "must be \(names.count), as \(base.samples.source) has \(names.count) classes, found \(count)"
            )
        }
        self.configuration = configuration
        data = try training.prompted(configuration)
        self.heldOutCount = heldOutCount
        var carried = CheckpointConfiguration(model: configuration.model)
        carried.objective = configuration.objective
        carried.size = configuration.data.size
        carried.classes = count == 0 ? [] : names
        carried.autoencoder = try base.autoencoder()
        carried.training = configuration
        checkpointConfiguration = carried
        if case .nextFrequency = configuration.model, case .latents = data {
            throw SettingsError(
                origin: origin, key: "model.kind", problem: "must be another than nextFrequency for latents")
        }
        try check(configuration.samples.sampler, "samples.sampler", origin)
        if configuration.evaluate.every > 0 {
            try check(configuration.evaluate.sampler, "evaluate.sampler", origin)
        }
    }

    /// - Throws: `SettingsError` when samples of the model cannot be drawn so.
    private func check(_ sampler: SamplerSettings, _ key: String, _ origin: String) throws {
        do {
            try configuration.model.architecture.check(sampler, for: configuration.objective)
        } catch let error as ConfigurationError {
            throw SettingsError(
                origin: origin, key: "\(key).\(error.field)", problem: "must be \(error.demand)")
        }
    }

    public var dataset: any SampleDataset { data.samples }

    /// Images that one update learns from.
    public var imagesPerStep: Int { configuration.batchSize * configuration.optimizer.accumulation }

    /// The plan for people.
    public func description(parameterCount: Int) -> String {
        let (data, steps) = (configuration.data, configuration.steps)
        let epochs = Double(steps) * Double(imagesPerStep) / Double(dataset.count)
        return """
            data        \(dataset.source), \(dataset.count) images, \(dataset.classNames.count) classes, \
            \(heldOutCount) held out
            images      \(data.size.width)×\(data.size.height), \(data.channels) channels
            model       \(configuration.model.name), \(parameterCount) parameters
            objective   \(configuration.model.architecture.ownObjective ?? configuration.objective.kind.rawValue)
            training    \(steps) steps of \(imagesPerStep) images, \((epochs * 10).rounded() / 10) epochs
            configuration
            \(configuration.node.yaml.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
            """
    }
}
