import Foundation

/// The trained noise levels of a discrete process, read at fractional timesteps and by σ.
public struct DiscreteSchedule: NoisePath {
    /// σ of timestep 0, 1, …, ascending.
    public let sigmas: [Double]
    private let logSigmas: [Double]

    /// - Parameter alphasCumprod: ᾱ of every training step. A last ᾱ of 0 (zero terminal SNR) becomes 2⁻²⁴,
    ///   that is σ = 4096, because σ-space solvers cannot start at infinity.
    public init(alphasCumprod: [Double]) {
        sigmas = alphasCumprod.map { alpha in
            let kept = alpha > 0 ? alpha : exp2(-24)
            return ((1 - kept) / kept).squareRoot()
        }
        logSigmas = sigmas.map { log($0) }
    }

    public init(_ process: GaussianProcess) { self.init(alphasCumprod: process.alphasCumprod) }

    /// The schedule with tables rounded to float32, as diffusers holds them. Timesteps that are truncated to
    /// whole numbers come out as its do (998 where exact numbers give 999).
    public init(singlePrecisionAlphas alphas: [Float]) {
        let sigmas = alphas.map { alpha in
            let kept = alpha > 0 ? alpha : Float(exp2(-24.0))
            return ((1 - kept) / kept).squareRoot()
        }
        self.sigmas = sigmas.map(Double.init)
        logSigmas = sigmas.map { Double(log($0)) }
    }

    public var stepCount: Int { sigmas.count }
    public var minimumSigma: Double { sigmas.first ?? 0 }
    public var maximumSigma: Double { sigmas.last ?? 0 }

    /// t(σ), piecewise linear in log σ and clamped to 0…T−1.
    public func timestep(sigma: Double) -> Double {
        let target = log(max(sigma, 1e-10))
        guard target > logSigmas[0] else { return 0 }
        guard target < logSigmas[stepCount - 1] else { return Double(stepCount - 1) }
        var (low, high) = (0, stepCount - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if logSigmas[middle] <= target { low = middle } else { high = middle }
        }
        return Double(low) + (target - logSigmas[low]) / (logSigmas[high] - logSigmas[low])
    }

    /// The trained timestep whose log σ is nearest.
    public func nearestTimestep(sigma: Double) -> Int {
        let target = log(sigma)
        return logSigmas.indices.min { abs(logSigmas[$0] - target) < abs(logSigmas[$1] - target) } ?? 0
    }

    /// σ(t), linear in log σ between trained timesteps.
    public func sigma(timestep t: Double) -> Double {
        exp(interpolate(logSigmas, at: t))
    }

    /// σ(t), linear in σ itself between trained timesteps (the rule of diffusers' Euler schedulers).
    public func linearSigma(timestep t: Double) -> Double { interpolate(sigmas, at: t) }

    private func interpolate(_ table: [Double], at t: Double) -> Double {
        let clamped = min(max(t, 0), Double(table.count - 1))
        let low = min(Int(clamped), max(table.count - 2, 0))
        let high = min(low + 1, table.count - 1)
        let fraction = clamped - Double(low)
        return (1 - fraction) * table[low] + fraction * table[high]
    }

    /// The variance-preserving level with this σ, told to the network as the fractional t(σ).
    public func level(sigma: Double) -> NoiseLevel { level(sigma: sigma, time: timestep(sigma: sigma)) }

    /// The variance-preserving level with this σ and a network time of the caller's choice.
    public func level(sigma: Double, time: Double) -> NoiseLevel {
        let signal = 1 / (1 + sigma * sigma).squareRoot()
        return NoiseLevel(signal: signal, noise: sigma * signal, time: time)
    }
}
