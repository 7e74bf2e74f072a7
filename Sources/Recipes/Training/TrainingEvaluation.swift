import Checkpoints
import Images
import Layers
import Metrics
import Training

/// Scores of samples made on the way, from the averaged weights.
public struct EvaluateSettings: Settings, Hashable {
    /// Steps between evaluations; 0 makes none.
    public var every = 0
    /// Names and groups of metrics of sets, as `sfumato evaluate` knows them.
    public var metrics = ["fd-feat", "fd-wm"]
    /// Samples made for one evaluation.
    public var count = 1000
    /// Training images they are compared with, drawn evenly.
    public var referenceCount = 5000
    /// Weights of the FID network, for metrics that need them.
    public var inception: String?
    /// How the samples are made.
    public var sampler = SamplerSettings()

    public static var defaults: EvaluateSettings { EvaluateSettings() }

    public func validate() throws {
        try Self.require(every >= 0, "every", "at least 0, found \(every)")
        try Self.require(count >= 2, "count", "at least 2, found \(count)")
        try Self.require(referenceCount >= 2, "referenceCount", "at least 2, found \(referenceCount)")
        do {
            let chosen = try EvaluationMetrics(named: metrics)
            try Self.require(chosen.pairs.isEmpty, "metrics", "metrics of sets, found \(metrics)")
            let wantsInception = chosen.sets.contains(where: \.needsInception)
            try Self.require(
                !wantsInception || inception != nil, "inception", "given, because some metrics need it")
        } catch let error as EvaluationError {
            throw ConfigurationError(field: "metrics", demand: "metrics: \(error)")
        }
    }
}

/// Evaluates the averaged weights of a run; the training images are measured once.
final class TrainingEvaluation {
    private let settings: EvaluateSettings
    private let sampler: SamplerSettings
    private let metrics: EvaluationMetrics
    private let dataset: any ImageDataset
    private let network: FeatNet?
    private let extractor: InceptionExtractor?
    private var reference: SampleSetMeasures?

    /// - Returns: nil when the run evaluates nothing.
    /// - Throws: errors of reading the networks' weights.
    init?(_ plan: TrainingPlan) throws {
        settings = plan.configuration.evaluate
        // Latents have no pictures to be compared with; the configuration says so.
        guard settings.every > 0, case .images(let images) = plan.data else { return nil }
        sampler = plan.configuration.sampler(settings.sampler)
        metrics = try EvaluationMetrics(named: settings.metrics)
        network = try metrics.needs.contains(.featNet) ? Evaluation.featNet() : nil
        extractor = try settings.inception.map { try InceptionExtractor(path: $0, mode: .tensorFlow1) }
        dataset = PreparedDataset(
            base: Subset(images, limit: settings.referenceCount),
            preparation: plan.configuration.data.preparation)
    }

    func isDue(_ step: Int) -> Bool { step % settings.every == 0 }

    /// - Returns: the metrics' values; nil for models whose samples are no pictures.
    func report(_ model: LoadedModel) throws -> EvaluationReport? {
        let generation = try GenerationPlan(
            model: model, recipe: SamplingRecipe(sampler: sampler),
            seeds: try SeedList(count: settings.count, from: 0).seeds)
        guard generation.makesImages else { return nil }
        let real = try reference ?? measure(DatasetSource(dataset: dataset))
        reference = real
        return try EvaluationReport(
            samples: measure(GeneratedSource(generation)), reference: real, metrics: metrics.sets)
    }

    private func measure(_ source: any ImageSource) throws -> SampleSetMeasures {
        try SetMeasurement(
            source: source, needs: metrics.needs, network: network, extractor: extractor, cacheFolder: nil
        ).run { _ in }.measures
    }
}
