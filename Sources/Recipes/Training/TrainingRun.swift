import Archives
import Checkpoints
import Diffusion
import Foundation
import Images
import Layers
import Metrics
import Tensors
import Training

/// A training run in its folder: steps, logs, samples, states, and going on where a former process stopped.
///
/// The state after step n depends on the configuration and the thread count only, not on how often the run was
/// stopped or killed on the way.
public final class TrainingRun {
    public let plan: TrainingPlan
    public let folder: RunFolder
    public let parameterCount: Int
    /// The step that the run goes on from; 0 for a new one.
    public let firstStep: Int

    private let store: ParameterStore
    private let trainer: Trainer
    private let task: any TrainingTask
    private let loader: DataLoader
    private let lock: FolderLock
    private let onEvent: (Event) -> Void

    /// What the caller may want to show.
    public enum Event: Sendable {
        /// A step was made.
        case step(StepReport)
        /// A line was logged: means since the line before.
        case logged(step: Int, loss: Double, imagesPerSecond: Double)
        case saved(path: String)
        case sampled(path: String)
        /// The averaged weights were scored.
        case evaluated(step: Int, EvaluationReport)
        /// Images were scored with the averaged weights: mean PSNR in dB by what was scored.
        case validated(step: Int, scores: [String: Double])
        /// A file of the data could not be read; another image takes its place.
        case skipped(SkippedImage)
        /// A state is damaged; the one before it is used.
        case damaged(String)
    }

    public enum Outcome: Sendable, Hashable { case finished, interrupted }

    /// Prepares the folder, and the state in it when the run is resumed.
    /// - Parameters:
    ///   - resume: go on from the newest state of the folder; without one, begin.
    ///   - onEvent: called on the thread of `run`, for `skipped` on a loading thread.
    /// - Throws: `TrainingError` when the folder holds another run; errors of files and settings.
    public init(
        _ plan: TrainingPlan, folder: RunFolder, resume: Bool, onEvent: @escaping @Sendable (Event) -> Void
    ) throws {
        let configuration = plan.configuration
        if !resume { try folder.requireNoRun() }
        lock = try folder.open()
        let state = resume ? try folder.newestState { onEvent(.damaged("\($0)")) } : nil
        if let state { try Self.check(state, plan, folder) }

        var plan = plan
        plan.checkpointConfiguration.model = try Self.settledModel(plan, state: state, onEvent: onEvent)
        store = ParameterStore(
            .initialized(seed: configuration.seed), isTracked: true, precision: configuration.precision,
            recomputesActivations: configuration.recomputation)
        let model = plan.checkpointConfiguration.model.makeModel(store.scope)
        parameterCount = store.scalarCount
        let architecture = configuration.model.architecture
        store.freeze { !architecture.isTrained($0) }
        trainer = Trainer(store, settings: configuration.optimizer, totalSteps: configuration.steps)
        try trainer.start(from: state, initialWeights: configuration.initialWeights)
        if state == nil, configuration.initialWeights == nil,
            case .nextFrequencyTokens(let model) = configuration.model
        {
            try model.loadTokenizer(into: store)
        }
        firstStep = trainer.stepCount
        task = try model.trainingTask(configuration)
        loader = try plan.data.loader(
            configuration, position: DataPosition(samples: firstStep * plan.imagesPerStep),
            onSkip: { onEvent(.skipped($0)) })
        try AtomicFile.write(configuration.node.yaml, to: folder.configPath)
        self.plan = plan
        self.folder = folder
        self.onEvent = onEvent
    }

    /// Steps until the end, or until `shouldStop` says so after a step; the state is saved either way.
    /// - Throws: `NonFiniteError`, after saving the state before the step that failed; errors of files.
    public func run(until shouldStop: () -> Bool) throws -> Outcome {
        let settings = plan.configuration
        let evaluation = try TrainingEvaluation(plan)
        let loop = TrainingLoop(
            trainer: trainer, folder: folder, steps: settings.steps, checkpoints: settings.checkpoints,
            log: settings.log,
            makeState: { [trainer, plan] in
                trainer.state(
                    config: plan.checkpointConfiguration.node.json, imagesPerStep: plan.imagesPerStep)
            }, onEvent: onEvent)
        let outcome = try loop.run(
            until: shouldStop,
            evaluate: { step, part in
                let batch = try loader.next()
                return (
                    task.evaluate(batch, step: step, first: part * settings.batchSize), settings.batchSize
                )
            },
            afterStep: { step, isLast, log in
                let isSampling =
                    settings.samples.every > 0 && (step % settings.samples.every == 0 || isLast)
                if isSampling { try sample(log) }
                guard let evaluation, evaluation.isDue(step) || isLast else { return isSampling }
                if let scores = try evaluation.report(averagedModel()) {
                    try log.append(scores, step: step)
                    onEvent(.evaluated(step: step, scores))
                }
                return true
            })
        if outcome == .finished { try export() }
        return outcome
    }

    /// A grid of images from the averaged weights.
    private func sample(_ log: TrainingLog) throws {
        let samples = plan.configuration.samples
        let generation = try GenerationPlan(
            model: averagedModel(),
            recipe: SamplingRecipe(
                decoder: samples.decoder, sampler: plan.configuration.sampler(samples.sampler)),
            seeds: try SeedList(count: samples.count, from: 0).seeds)
        guard generation.makesImages else { return }
        var images: [Image] = []
        Generator(generation).run { event in
            if case .finished(_, let tensor) = event { images += Image.batch(tensor) }
            return true
        }
        let path = folder.samplePath(step: trainer.stepCount)
        let grid = Image.grid(images)
        try grid.write(to: path)
        try log.append(grid, step: trainer.stepCount)
        onEvent(.sampled(path: path))
    }

    private func averagedModel() throws -> LoadedModel {
        try LoadedModel(
            path: folder.path, configuration: plan.checkpointConfiguration,
            weights: trainer.optimizer.averagedParameters, digest: "",
            precision: plan.configuration.precision)
    }

    /// The averaged weights alone, as `model.safetensors`.
    private func export() throws {
        let path = try folder.export(
            trainer.optimizer.averagedParameters, config: plan.checkpointConfiguration.node.json,
            step: trainer.stepCount)
        onEvent(.saved(path: path))
    }
}

extension TrainingRun {
    /// The network's settings with what it has to know of the data before the first step: as the saved state or the
    /// checkpoint to begin with has it, else measured.
    private static func settledModel(
        _ plan: TrainingPlan, state: TrainingState?, onEvent: @escaping @Sendable (Event) -> Void
    ) throws -> ModelSettings {
        let configuration = plan.configuration
        guard case .nextFrequency(let model) = configuration.model, model.normalization == nil else {
            return configuration.model
        }
        if let state {
            return try CheckpointConfiguration(json: state.config.text, name: "state").model
        }
        if let path = configuration.initialWeights {
            let source = try Checkpoint(path: path).modelConfiguration()
            return .nextFrequency(try model.normalized(as: source.model, of: path))
        }
        guard case .images(let images) = plan.data else { return configuration.model }
        let data = configuration.data
        return .nextFrequency(
            try model.measured(on: images, data.preparation, onBadImage: data.onBadImage) {
                onEvent(.skipped($0))
            })
    }

    /// Whether a saved state belongs to this configuration: all that shapes the numbers must be the same.
    private static func check(_ state: TrainingState, _ plan: TrainingPlan, _ folder: RunFolder) throws {
        let saved = try CheckpointConfiguration(json: state.config.text, name: "\(folder.path): state")
        guard saved.autoencoder == plan.checkpointConfiguration.autoencoder else {
            throw TrainingError(
                "\(folder.path): was trained on latents of another autoencoder; restore them, or choose another --out"
            )
        }
        guard var old = saved.training else { return }
        let new = plan.configuration
        // What may change between the parts of a run: how long it is, and what it keeps and shows.
        (old.steps, old.checkpoints, old.samples, old.log) = (
            new.steps, new.checkpoints, new.samples, new.log
        )
        (old.evaluate, old.initialWeights) = (new.evaluate, new.initialWeights)
        // The same bits either way.
        old.recomputation = new.recomputation
        (old.data.path, old.data.threads) = (new.data.path, new.data.threads)
        try folder.requireSame(old, new)
    }
}

/// A run that cannot begin or go on: says where, why, and what to do.
public struct TrainingError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
