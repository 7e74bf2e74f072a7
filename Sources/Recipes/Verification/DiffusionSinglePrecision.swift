import Diffusion
import Foundation
import Tensors

/// A few quantities that the originals take as small differences of large float32 numbers.
///
/// Their recorded values hold that rounding, which no more exact evaluation can repeat, so these are rebuilt in
/// float32 in the originals' order of operations. Nothing outside verification uses them.
enum DiffusionSinglePrecision {
    /// A level with ᾱ as a float32 table holds it: 1 − ᾱ loses half its digits at the clean end.
    static func level(_ alpha: Double) -> NoiseLevel {
        let rounded = Float(alpha)
        return NoiseLevel(
            signal: Double(rounded).squareRoot(), noise: Double(1 - rounded).squareRoot(), time: 0)
    }

    /// KL(q(x_T | x₀) ‖ N(0, I)) in bits per element, one value per sample: −1 − log σ² + σ² cancels to 1e-9.
    static func prior(clean: Latent, process: GaussianProcess) -> [Double] {
        let alpha = process.alphasCumprod[process.stepCount - 1]
        let (signal, logVariance) = (Float(alpha.squareRoot()), Float(log(1 - alpha)))
        return (0..<clean.sampleCount).map { n in
            let values = clean.samples(in: n..<n + 1).values.map { value -> Float in
                let mean = signal * Float(value)
                return 0.5 * (-1 - logVariance + exp(logVariance) + mean * mean)
            }
            return Double(values.reduce(0, +) / Float(values.count) / Float(log(2.0)))
        }
    }

    /// x̂₀ = √(1/ᾱ)·x − √(1/ᾱ−1)·ε̂: two numbers of size 157 whose difference is of size 1.
    static func clean(noisy: Latent, noise: Latent, alpha: Double) -> Latent {
        let (onNoisy, onNoise) = (Float((1 / alpha).squareRoot()), Float((1 / alpha - 1).squareRoot()))
        return noisy.zip(noise) { Double(onNoisy * Float($0) - onNoise * Float($1)) }
    }

    /// (x/a − x̂₀)/σ, the slope of x₀ + σε, at the cleanest levels a hundredfold difference.
    static func slope(noisy: Latent, clean: Latent, at level: NoiseLevel) -> Latent {
        let (signal, sigma) = (Float(level.signal), Float(level.sigma))
        return noisy.zip(clean) { Double((Float($0) / signal - Float($1)) / sigma) }
    }
}
