import Archives
import Backbones
import Checkpoints
import Denoising
import Layers
import Tensors
import Training

/// A training run of a denoiser in its folder, as `TrainingRun` is one of a generator: same files, same exactness when
/// it is stopped and resumed. Instead of samples it makes scores.
public final class RestorationRun {
    public let configuration: RestorationConfiguration
    public let folder: RunFolder
    public let parameterCount: Int
    /// The step that the run goes on from; 0 for a new one.
    public let firstStep: Int

    private let trainer: Trainer
    private let task: RestorationTask
    private let batches: RestorationBatches
    private let validation: DenoisingPlan?
    private let lock: FolderLock
    private let onEvent: (TrainingRun.Event) -> Void

    /// Prepares the folder, and the state in it when the run is resumed.
    /// - Parameter resume: go on from the newest state of the folder; without one, begin.
    /// - Throws: `TrainingError` when the folder holds another run; errors of files and settings.
    public init(
        _ configuration: RestorationConfiguration, folder: RunFolder, resume: Bool,
        onEvent: @escaping @Sendable (TrainingRun.Event) -> Void
    ) throws {
        if !resume { try folder.requireNoRun() }
        batches = try RestorationBatches(configuration.data, seed: configuration.seed) {
            onEvent(.skipped($0))
        }
        validation = try Self.validationPlan(configuration.validation)
        lock = try folder.open()
        let state = resume ? try folder.newestState { onEvent(.damaged("\($0)")) } : nil
        if let state { try Self.check(state, configuration, folder) }

        let store = ParameterStore(
            .initialized(seed: configuration.seed), isTracked: true, precision: configuration.precision,
            recomputesActivations: configuration.recomputation)
        let restorer = configuration.model.network.makeRestorer(store.scope)
        parameterCount = store.scalarCount
        trainer = Trainer(store, settings: configuration.optimizer, totalSteps: configuration.steps)
        try trainer.start(from: state, initialWeights: configuration.initialWeights)
        firstStep = trainer.stepCount
        task = RestorationTask(
            restorer: restorer, objective: configuration.objective, seed: configuration.seed)
        try AtomicFile.write(configuration.node.yaml, to: folder.configPath)
        (self.configuration, self.folder, self.onEvent) = (configuration, folder, onEvent)
    }

    /// Steps until the end, or until `shouldStop` says so after a step; the state is saved either way.
    /// - Throws: `NonFiniteError`, after saving the state before the step that failed; errors of files.
    public func run(until shouldStop: () -> Bool) throws -> TrainingRun.Outcome {
        let (size, parts) = (configuration.batchSize, configuration.optimizer.accumulation)
        let loop = TrainingLoop(
            trainer: trainer, folder: folder, steps: configuration.steps,
            checkpoints: configuration.checkpoints, log: configuration.log,
            makeState: { [trainer, checkpoint] in
                trainer.state(config: checkpoint.node.json, imagesPerStep: size * parts)
            }, onEvent: onEvent)
        let outcome = try loop.run(
            until: shouldStop,
            evaluate: { step, part in
                let batch = try batches.batch(from: ((step - 1) * parts + part) * size, count: size)
                return (task.evaluate(batch, step: step, first: part * size), size)
            }, afterStep: validate)
        if outcome == .finished { try export() }
        return outcome
    }

    private var checkpoint: RestorationCheckpoint {
        RestorationCheckpoint(
            model: configuration.model, objective: configuration.objective, training: configuration)
    }

    /// Mean PSNR of the averaged weights.
    private func validate(step: Int, isLast: Bool, _ log: TrainingLog) throws -> Bool {
        guard let validation, step % configuration.validation.every == 0 || isLast else { return false }
        let settings = configuration.validation
        let model = DenoisingModel(
            path: folder.path, network: configuration.model.network,
            parameters: trainer.optimizer.averagedParameters)
        var scores: [String: Double] = [:]
        for sigma in settings.reference == nil ? settings.sigmas.map(Optional.some) : [nil] {
            var run = DenoisingRun(validation, try ImageDenoiser(model, sigma: sigma.map(SigmaChoice.level)))
            run.addedSigma = sigma
            let report = run.run { _ in true }
            if let failure = report.failures.first { throw TrainingError(failure.problem) }
            scores[sigma.map { "psnr@\(TextTable.fixed($0, digits: 0))" } ?? "psnr"] = report.meanPSNR
        }
        try log.append(validation: scores, step: trainer.stepCount)
        onEvent(.validated(step: trainer.stepCount, scores: scores))
        return true
    }

    /// The averaged weights with the running statistics, as `model.safetensors`.
    private func export() throws {
        let path = try folder.export(
            trainer.optimizer.averagedParameters, config: checkpoint.node.json, step: trainer.stepCount)
        onEvent(.saved(path: path))
    }
}

extension RestorationRun {
    /// The plan for people.
    /// - Throws: `DatasetError` when the data cannot be used.
    public static func description(of configuration: RestorationConfiguration) throws -> String {
        let (data, model) = (configuration.data, configuration.model)
        let count = try RestorationBatches.pairs(data).count
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = model.network.makeRestorer(store.scope)
        return """
            data        \(data.path), \(count) \(data.isPaired ? "pairs" : "images")
            crops       \(data.size.width)×\(data.size.height), \(data.channels) channels
            model       \(model.name), \(store.scalarCount) parameters
            training    \(configuration.steps) steps of \
            \(configuration.batchSize * configuration.optimizer.accumulation) crops
            configuration
            \(configuration.node.yaml.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
            """
    }

    private static func validationPlan(_ settings: ValidationSettings) throws -> DenoisingPlan? {
        guard let path = settings.path else { return nil }
        var options = DenoisingPlan.Options(out: nil)
        options.reference = settings.reference
        var plan = try DenoisingPlan(inputs: [path], options: options)
        plan.limit(to: settings.limit)
        return plan
    }

    /// Whether a saved state belongs to this configuration: all that shapes the numbers must be the same.
    private static func check(
        _ state: TrainingState, _ new: RestorationConfiguration, _ folder: RunFolder
    ) throws {
        let saved = try RestorationCheckpoint(json: state.config.text, name: "\(folder.path): state")
        guard var old = saved.training else { return }
        (old.steps, old.checkpoints, old.validation, old.log) = (
            new.steps, new.checkpoints, new.validation, new.log
        )
        (old.data.path, old.data.noisy) = (new.data.path, new.data.noisy)
        (old.initialWeights, old.recomputation) = (new.initialWeights, new.recomputation)
        try folder.requireSame(old, new)
    }
}
