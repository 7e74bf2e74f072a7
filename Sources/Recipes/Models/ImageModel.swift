import Tensors
import Training

/// A network that learns to make images: how it learns, and how it draws.
public protocol ImageModel: Sendable {
    /// What a run makes the network learn.
    /// - Throws: errors of files that the configuration names.
    func trainingTask(_ configuration: TrainingConfiguration) throws -> any TrainingTask

    /// The way of drawing images that settings describe.
    /// - Parameter objective: what the network was trained for.
    /// - Throws: `ConfigurationError` when the network cannot do so; its field is relative to the sampler.
    func imageSampler(_ settings: SamplerSettings, objective: ObjectiveSettings) throws -> any ImageSampler
}

/// What a network learns from a batch.
///
/// Everything random must depend on (seed, step, place in the step's batch) only, so that a resumed run, or one that
/// splits its batch into smaller ones, draws the same numbers.
public protocol TrainingTask: Sendable {
    /// - Parameters:
    ///   - batch: images or scaled latents `[N, H, W, C]`.
    ///   - step: the update this batch belongs to, from 1.
    ///   - first: place of the batch's first sample in the update's whole batch.
    func evaluate(_ batch: ImageBatch, step: Int, first: Int) -> BatchEvaluation
}

/// Draws images, some together.
///
/// An image must depend on the weights, the settings and its own seed, label and size alone: the same bytes beside
/// whichever others, at any number of threads.
public protocol ImageSampler: Sendable {
    /// Steps of every batch.
    var stepCount: Int { get }
    /// How it draws, for people: a line each, as in ("solver", "heun, 20 steps").
    var facts: [(name: String, value: String)] { get }
    /// What images can show, where that is something else than the model's classes: labels count these.
    var subjects: [String]? { get }

    /// - Parameter onStep: hears of every step; false stops.
    /// - Returns: `[N, H, W, C]`; nil when stopped.
    func samples(
        _ items: [GenerationPlan.Item], size: ImageSize, onStep: (ImageSamplerStep) throws -> Bool
    ) rethrows -> Tensor?
}

extension ImageSampler {
    public var subjects: [String]? { nil }
}

/// One step of a batch.
public struct ImageSamplerStep: Sendable {
    /// From 0.
    public let index: Int
    public let count: Int
    /// Makes the images that are expected at this point, `[N, H, W, C]`.
    public let preview: @Sendable () -> Tensor

    public init(index: Int, count: Int, preview: @escaping @Sendable () -> Tensor) {
        self.index = index
        self.count = count
        self.preview = preview
    }
}
