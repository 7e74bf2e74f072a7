import Layers
import Tensors
import Training

extension OptimizerSettings: Settings {
    public static var defaults: OptimizerSettings { OptimizerSettings() }
}
extension LearningRateSchedule: Settings {
    public static var defaults: LearningRateSchedule { LearningRateSchedule() }
}
extension AverageSettings: Settings { public static var defaults: AverageSettings { AverageSettings() } }

/// One training run, completely: a file of `configs/`.
public struct TrainingConfiguration: Settings, Hashable {
    public var model: ModelSettings
    public var data: DataSettings
    public var objective = ObjectiveSettings.flow(FlowSettings())
    public var optimizer = OptimizerSettings()
    /// Images per update. With `optimizer.accumulation` above 1 this many are computed at a time.
    public var batchSize = 128
    /// Updates of the whole run.
    public var steps = 100_000
    /// Decides initial weights, the order of the data, its variations and all noise.
    public var seed: UInt64 = 0
    /// What the operands of the network's products are rounded to, forward and backward; the weights that the optimiser
    /// changes, sums, norms and the loss are float32. Float32 where the processor has not the other.
    public var precision = ProductPrecision.float32
    /// Whether blocks (of DiCo, LINA and NAFNet) compute what lies between their input and their result again in the
    /// backward pass instead of keeping it: a fraction of the memory for another forward pass, and the same bits.
    public var recomputation = false
    /// A checkpoint (a file, or a run's folder) whose weights the run begins with instead of drawn ones.
    public var initialWeights: String?
    public var checkpoints = CheckpointSettings()
    public var samples = SampleSettings()
    public var evaluate = EvaluateSettings()
    public var log = LogSettings()

    public static var defaults: TrainingConfiguration {
        TrainingConfiguration(model: .dico(.defaults), data: .defaults)
    }
    public static var requiredKeys: Set<String> { ["model", "data"] }

    public func validate() throws {
        try Self.require(batchSize >= 1, "batchSize", "at least 1, found \(batchSize)")
        try Self.require(steps >= 1, "steps", "at least 1, found \(steps)")
        try Self.require(
            model.inputChannels == data.channels, "model.inputChannels",
            "\(data.channels), as data.channels is, found \(model.inputChannels)")
        let multiple = model.sizeMultiple
        try Self.require(
            data.size.width % multiple == 0 && data.size.height % multiple == 0, "data.size",
            "a multiple of \(multiple) for this model, found \(data.size)")
        if let fixed = model.architecture.fixedSize {
            try Self.require(
                data.size == fixed, "data.size", "\(fixed) for this model, found \(data.size)")
        }
        let readsPrompts = model.architecture.readsPrompts
        try Self.require(
            readsPrompts == (data.prompts != nil), "data.prompts",
            readsPrompts ? "given, because the model reads prompts" : "left out: the model reads no prompts")
        try Self.require(
            data.kind != .latents || evaluate.every == 0, "evaluate.every",
            "0 with latents; score images of sfumato generate with sfumato evaluate")
        try model.architecture.check(objective)
    }
}

extension TrainingConfiguration {
    /// How samples are made on the way: by the training's prompts where others are not given.
    func sampler(_ settings: SamplerSettings) -> SamplerSettings {
        guard let prompts = data.prompts, settings.masked?.prompts == nil else { return settings }
        var result = settings
        var masked = result.masked ?? .defaults
        masked.prompts = prompts
        result.masked = masked
        return result
    }
}

/// When states are saved, and which are kept.
public struct CheckpointSettings: Settings, Hashable {
    /// Steps between states: at most this much is lost when the process is killed.
    public var every = 1000
    /// The newest so many are kept.
    public var keep = 2
    /// Beside them, every state whose step is a multiple of this.
    public var keepEvery: Int?

    public static var defaults: CheckpointSettings { CheckpointSettings() }

    public func validate() throws {
        try Self.require(every >= 1, "every", "at least 1, found \(every)")
        try Self.require(keep >= 1, "keep", "at least 1, found \(keep)")
        try Self.require(
            keepEvery.map { $0 >= 1 } ?? true, "keepEvery", "at least 1, found \(keepEvery ?? 0)")
    }
}

/// Grids of images made on the way, from the averaged weights.
public struct SampleSettings: Settings, Hashable {
    /// Steps between grids; 0 makes none.
    public var every = 5000
    public var count = 16
    /// How they are made.
    public var sampler = SamplerSettings()
    /// Of a model of latents: the autoencoder that makes pictures of them; without it none are made.
    public var decoder: String?

    public static var defaults: SampleSettings { SampleSettings() }

    public func validate() throws {
        try Self.require(every >= 0, "every", "at least 0, found \(every)")
        try Self.require(count >= 1, "count", "at least 1, found \(count)")
    }
}

public struct LogSettings: Settings, Hashable {
    /// Steps that one line of the log averages.
    public var every = 50
    /// Writes an event file for TensorBoard as well.
    public var tensorBoard = true

    public static var defaults: LogSettings { LogSettings() }

    public func validate() throws { try Self.require(every >= 1, "every", "at least 1, found \(every)") }
}
