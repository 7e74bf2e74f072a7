import Foundation

/// EDM's general description of a diffusion: a noise level σ(t) and a scaling s(t), so that
/// x = s·x₀ + sσ·ε (arXiv 2206.00364, Table 1).
public struct ScaledPath: TimedPath, Hashable, Sendable {
    public enum Schedule: Hashable, Sendable {
        /// σ = √(e^{β_d t²/2 + β_min t} − 1).
        case variancePreserving(betaD: Double, betaMin: Double)
        /// σ = √t.
        case varianceExploding
        /// σ = t.
        case linear
    }

    public var schedule: Schedule
    /// Scales the state to unit variance, s = 1/√(1 + σ²), instead of s = 1.
    public var isScaled: Bool

    public init(_ schedule: Schedule, isScaled: Bool) {
        self.schedule = schedule
        self.isScaled = isScaled
    }

    /// The variance-preserving betas whose σ is `maximum` at t = 1 and `minimum` at t = `epsilon`.
    public static func fitted(minimum: Double, maximum: Double, epsilon: Double = 1e-3) -> Schedule {
        let (low, high) = (log(minimum * minimum + 1), log(maximum * maximum + 1))
        let betaD = 2 * (low / epsilon - high) / (epsilon - 1)
        return .variancePreserving(betaD: betaD, betaMin: high - betaD / 2)
    }

    public func sigma(time t: Double) -> Double {
        switch schedule {
        case .variancePreserving(let betaD, let betaMin):
            expm1(betaD * t * t / 2 + betaMin * t).squareRoot()
        case .varianceExploding: t.squareRoot()
        case .linear: t
        }
    }

    /// The inverse of σ(t).
    public func time(sigma: Double) -> Double {
        switch schedule {
        case .variancePreserving(let betaD, let betaMin):
            ((betaMin * betaMin + 2 * betaD * log1p(sigma * sigma)).squareRoot() - betaMin) / betaD
        case .varianceExploding: sigma * sigma
        case .linear: sigma
        }
    }

    public func level(time t: Double) -> NoiseLevel {
        let sigma = sigma(time: t)
        let rate: Double
        switch schedule {
        case .variancePreserving(let betaD, let betaMin):
            rate = 0.5 * (betaMin + betaD * t) * (sigma + 1 / sigma)
        case .varianceExploding: rate = 0.5 / sigma
        case .linear: rate = 1
        }
        let scale = isScaled ? 1 / (1 + sigma * sigma).squareRoot() : 1
        let scaleRate = isScaled ? -sigma * rate * scale * scale * scale : 0
        return NoiseLevel(
            signal: scale, noise: scale * sigma, time: log(max(sigma, 1e-30)) / 4, signalRate: scaleRate,
            noiseRate: scaleRate * sigma + scale * rate)
    }
}
