import Layers
import Tensors

/// A network as a sampler sees it: raw output for a noisy batch, all samples at the same level.
public protocol LatentModel: Sendable {
    /// - Parameters:
    ///   - x: `[N, H, W, C]` at `level` (signal·x₀ + noise·ε).
    ///   - labels: one class per sample, nil for the unconditional prediction.
    /// - Returns: `[N, H, W, C']`, C' ≥ C; channels past C are the reverse variance.
    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent
}

/// A `Denoiser` in the sampler's seat: scales and rounds its input, widens its output.
public struct NetworkModel: LatentModel {
    public var denoiser: any Denoiser
    public var prediction: Prediction

    public init(_ denoiser: any Denoiser, prediction: Prediction) {
        self.denoiser = denoiser
        self.prediction = prediction
    }

    public func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let input = (prediction.inputScale(at: level) * x).tensor
        let time = Array(repeating: Float(level.time), count: x.sampleCount)
        return Latent(denoiser.predict(input, time: time, labels: labels))
    }
}

/// What a solver is told at one level: the clean sample and the noise that the model believes in.
public struct Estimate: Sendable {
    /// x̂₀, clipped where the run clips.
    public var clean: Latent
    /// ε̂.
    public var noise: Latent
    /// The variance channels ν, where the network has them.
    public var variance: Latent?
    /// The guided output of the network, without variance channels.
    public var output: Latent
}
