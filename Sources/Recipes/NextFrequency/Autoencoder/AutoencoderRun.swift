import Archives
import Autoregression
import Backbones
import Checkpoints
import Foundation
import Images
import Layers
import Tensors
import Training

/// A training run of an autoencoder in its folder, as `TrainingRun` is one of a generator: same files, same exactness
/// when it is stopped and resumed. Instead of samples it makes reconstructions and scores them.
public final class AutoencoderRun {
    public let configuration: AutoencoderConfiguration
    public let folder: RunFolder
    /// Parameters of the autoencoder; the discriminator's are not counted.
    public let parameterCount: Int
    /// The step that the run goes on from; 0 for a new one.
    public let firstStep: Int

    private let trainer: Trainer
    private let task: AutoencoderTask
    private let loader: DataLoader
    private let scoring: ReconstructionScoring
    private let lock: FolderLock
    private let onEvent: (TrainingRun.Event) -> Void
    private static let judgeName = "discriminator"
    /// What stands before the discriminator's names in a state.
    static let discriminatorPrefix = judgeName + "."

    /// Prepares the folder, and the state in it when the run is resumed.
    /// - Parameter resume: go on from the newest state of the folder; without one, begin.
    /// - Throws: `TrainingError` when the folder holds another run; errors of files and settings.
    public init(
        _ configuration: AutoencoderConfiguration, folder: RunFolder, resume: Bool,
        onEvent: @escaping @Sendable (TrainingRun.Event) -> Void
    ) throws {
        if !resume { try folder.requireNoRun() }
        let perceptual = try configuration.loss.perceptual?.network()
        let (training, heldOut) = try HoldoutDataset.split(
            configuration.data.specification.open(), holdout: configuration.data.holdout)
        lock = try folder.open()
        let state = resume ? try folder.newestState { onEvent(.damaged("\($0)")) } : nil
        if let state { try Self.check(state, configuration, folder) }

        let store = ParameterStore(.initialized(seed: configuration.seed), isTracked: true)
        let model = try FRVAE(store.scope, configuration.model.frvae)
        parameterCount = store.scalarCount
        let judge = configuration.loss.adversarial.map {
            PatchDiscriminator(
                store.scope / Self.judgeName, imageChannels: configuration.data.channels, width: $0.width,
                layers: $0.layers)
        }
        trainer = Trainer(store, settings: configuration.optimizer, totalSteps: configuration.steps)
        try trainer.start(from: state, initialWeights: configuration.initialWeights)
        firstStep = trainer.stepCount
        task = AutoencoderTask(
            model: model, discriminator: judge, loss: configuration.loss, perceptual: perceptual,
            accumulation: configuration.optimizer.accumulation, seed: configuration.seed)
        loader = try DataLoader(
            training, configuration.data.preparation,
            DataLoaderOptions(
                batchSize: configuration.batchSize, seed: configuration.seed,
                threads: configuration.data.threads, onBadImage: configuration.data.onBadImage),
            position: DataPosition(
                samples: firstStep * configuration.batchSize * configuration.optimizer.accumulation),
            onSkip: { onEvent(.skipped($0)) })
        scoring = ReconstructionScoring(
            dataset: heldOut ?? training, preparation: configuration.data.preparation,
            settings: configuration.reconstructions)
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
                (task.evaluate(try loader.next().images, step: step, part: part), size)
            }, afterStep: reconstruct)
        if outcome == .finished { try export() }
        return outcome
    }

    private var checkpoint: AutoencoderCheckpoint {
        AutoencoderCheckpoint(model: configuration.model, training: configuration)
    }

    /// The averaged weights of the autoencoder alone.
    private var averagedWeights: [String: Tensor] {
        trainer.optimizer.averagedParameters.filter { !$0.key.hasPrefix(Self.discriminatorPrefix) }
    }

    private func reconstruct(step: Int, isLast: Bool, _ log: TrainingLog) throws -> Bool {
        let every = configuration.reconstructions.every
        guard every > 0, step % every == 0 || isLast else { return false }
        let store = ParameterStore(.loaded(averagedWeights), isTracked: false)
        let model = try FRVAE(store.scope, configuration.model.frvae)
        let result = try scoring.score(model)
        let path = folder.samplePath(step: step)
        try result.picture.write(to: path)
        try log.append(result.picture, step: step)
        onEvent(.sampled(path: path))
        let scores = ["psnr": result.psnr]
        try log.append(validation: scores, step: step)
        onEvent(.validated(step: step, scores: scores))
        return true
    }

    private func export() throws {
        let path = try folder.export(
            averagedWeights, config: checkpoint.node.json, step: trainer.stepCount)
        onEvent(.saved(path: path))
    }
}

extension AutoencoderRun {
    /// The plan for people.
    /// - Throws: `DatasetError` when the data cannot be used; `ConfigurationError` for a model that cannot be.
    public static func description(of configuration: AutoencoderConfiguration) throws -> String {
        let data = configuration.data
        let (training, heldOut) = try HoldoutDataset.split(data.specification.open(), holdout: data.holdout)
        let store = ParameterStore(.shapesOnly, isTracked: false)
        let model = try FRVAE(store.scope, configuration.model.frvae)
        let grids = model.quantizer.pyramid.grids.map { "\($0)" }.joined(separator: ", ")
        return """
            data        \(training.source), \(training.count) images, \(heldOut?.count ?? 0) held out
            images      \(data.size.width)×\(data.size.height), \(data.channels) channels
            model       \(configuration.model.name), \(store.scalarCount) parameters
            codes       \(model.quantizer.pyramid.tokenCount) of \(model.quantizer.configuration.vocabulary), \
            grids \(grids)
            training    \(configuration.steps) steps of \
            \(configuration.batchSize * configuration.optimizer.accumulation) images
            configuration
            \(configuration.node.yaml.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
            """
    }

    /// What a user should know about the quantiser's levels before training, in whole sentences.
    public static func warnings(of configuration: AutoencoderConfiguration) throws -> [String] {
        let quantizer = configuration.model.frvae.quantizer
        return quantizer.usesBands ? try FrequencyPyramid(quantizer.pyramid).warnings : []
    }

    /// Whether a saved state belongs to this configuration: all that shapes the numbers must be the same.
    private static func check(
        _ state: TrainingState, _ new: AutoencoderConfiguration, _ folder: RunFolder
    ) throws {
        let saved = try AutoencoderCheckpoint(json: state.config.text, name: "\(folder.path): state")
        guard var old = saved.training else { return }
        (old.steps, old.checkpoints, old.reconstructions, old.log) = (
            new.steps, new.checkpoints, new.reconstructions, new.log
        )
        (old.data.path, old.data.threads) = (new.data.path, new.data.threads)
        old.initialWeights = new.initialWeights
        // The same weights may lie elsewhere by now.
        old.loss.perceptual?.trunk = new.loss.perceptual?.trunk
        old.loss.perceptual?.heads = new.loss.perceptual?.heads
        try folder.requireSame(old, new)
    }
}
