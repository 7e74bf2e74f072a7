import Tensors

/// What is known about a noisy image, or chosen by its user.
public struct RestorationCondition: Sendable {
    /// Standard deviation of the noise for values in 0…1 (σ/255): `[N, 1]` one per image, or a map `[N, H, W, 1]`.
    public var noiseLevel: Tensor?
    /// The user's parameters of a tunable network, `[N, P]`, or `[1, P]` for all images.
    public var tuning: Tensor?

    public init(noiseLevel: Tensor? = nil, tuning: Tensor? = nil) {
        self.noiseLevel = noiseLevel
        self.tuning = tuning
    }

    /// One noise level for every image of a batch, on the 0–255 scale in which it is quoted.
    public init(sigma: Float, imageCount: Int = 1, tuning: Tensor? = nil) {
        self.init(noiseLevel: Tensor(repeating: sigma / 255, shape: [imageCount, 1]), tuning: tuning)
    }
}

/// A network that turns a noisy image into a clean one.
public protocol ImageRestorer: Sendable {
    /// Channels of the images it takes.
    var imageChannels: Int { get }
    /// Whether it must be told the noise level.
    var needsNoiseLevel: Bool { get }
    /// Number of the user's parameters it must be given.
    var tuningCount: Int { get }

    /// - Parameters:
    ///   - noisy: `[N, H, W, C]` in 0…1, any size.
    ///   - isTraining: batch normalisation uses and collects the batch's own statistics.
    /// - Returns: the estimate of the clean image, shaped like `noisy`, not clamped.
    func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor
}

extension ImageRestorer {
    public var needsNoiseLevel: Bool { false }
    public var tuningCount: Int { 0 }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition = .init()) -> Tensor {
        restore(noisy, condition, isTraining: false)
    }
}

extension Tensor {
    /// This image with the noise level as one more channel, the last: `[N, H, W, C]` → `[N, H, W, C + 1]`.
    /// - Parameter level: `[N, 1]` or `[N, H, W, 1]`.
    public func appendingNoiseLevel(_ level: Tensor) -> Tensor {
        let map: Shape = [shape[0], shape[1], shape[2], 1]
        return .concatenateChannels([self, level.shape == map ? level : Tensor.zeros(map) + level])
    }
}
