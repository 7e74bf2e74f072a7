import Foundation
import Tensors

/// Sinusoidal features of a scalar: `[cos(t·ω₀) … , sin(t·ω₀) …]`, ωᵢ = 10000^(−i/h), h = count/2; one zero is
/// appended when `count` is odd (GLIDE's form, used by ADM, DiT and DiCo: cosines first).
///
/// Angles are formed in single precision on purpose: the published networks were trained on those values.
/// - Returns: `[N, count]`.
public func timestepFeatures(_ times: [Float], count: Int, maximumPeriod: Float = 10_000) -> Tensor {
    let half = count / 2
    let frequencies = (0..<half).map { exp(-log(maximumPeriod) * Float($0) / Float(half)) }
    let result = Tensor.zeros([times.count, count])
    result.withMutableScalars { scalars in
        for (row, time) in times.enumerated() {
            for (i, frequency) in frequencies.enumerated() {
                scalars[row * count + i] = cos(time * frequency)
                scalars[row * count + half + i] = sin(time * frequency)
            }
        }
    }
    return result
}

/// A time as a vector: sinusoidal features, then Linear → SiLU → Linear.
///
/// Parameters `mlp.0.{weight [W, F], bias}`, `mlp.2.{weight [W, W], bias}` with F features.
public struct TimestepEmbedder: Sendable {
    let featureCount: Int
    let first: Linear
    let second: Linear

    public init(_ scope: Scope, width: Int, featureCount: Int = 256) {
        self.featureCount = featureCount
        first = Linear(scope / "mlp.0", featureCount, width, weight: .normal(standardDeviation: 0.02))
        second = Linear(scope / "mlp.2", width, width, weight: .normal(standardDeviation: 0.02))
    }

    /// N times → `[N, W]`.
    public func callAsFunction(_ times: [Float]) -> Tensor { self(features: features(times)) }

    /// The sinusoids alone, `[N, F]`: what is computed outside of tensors.
    public func features(_ times: [Float]) -> Tensor { timestepFeatures(times, count: featureCount) }

    /// `[N, F]` → `[N, W]`.
    public func callAsFunction(features: Tensor) -> Tensor { second(silu(first(features))) }
}
