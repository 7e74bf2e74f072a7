import Foundation

/// The variance of the reverse step of a discrete process.
public enum ReverseVariance: String, Hashable, Sendable, Codable, CaseIterable {
    /// β̃, the lower bound.
    case fixedSmall
    /// β, with β̃₁ in the first step.
    case fixedLarge
    /// exp of an interpolation between log β̃ and log β by the network's extra channels (IDDPM).
    case learnedRange

    /// Whether the network has a second set of channels.
    public var isLearned: Bool { self == .learnedRange }
}

extension GaussianProcess {
    /// log Σ of step t for a fixed variance, or the bounds that a learned one interpolates.
    func logVarianceBounds(_ kind: ReverseVariance, at t: Int) -> (lower: Double, upper: Double) {
        switch kind {
        case .learnedRange: return (posteriorLogVarianceClipped[t], log(betas[t]))
        case .fixedSmall: return (posteriorLogVarianceClipped[t], posteriorLogVarianceClipped[t])
        case .fixedLarge:
            let value = log(t == 0 && stepCount > 1 ? posteriorVariance[1] : betas[t])
            return (value, value)
        }
    }

    /// log Σ of every element of step t.
    /// - Parameter range: the network's variance channels ν, nominally in −1…1; ignored when fixed.
    public func logVariance(_ kind: ReverseVariance, range: Latent?, like x: Latent, at t: Int) -> Latent {
        let (lower, upper) = logVarianceBounds(kind, at: t)
        guard kind.isLearned, let range else { return Latent(repeating: upper, shape: x.shape) }
        return range.map { nu in
            let fraction = (nu + 1) / 2
            return fraction * upper + (1 - fraction) * lower
        }
    }

    /// Σ of every element of step t, from its logarithm; the small variance is exactly 0 where β̃ is.
    public func variance(_ kind: ReverseVariance, logVariance: Latent, at t: Int) -> Latent {
        kind == .fixedSmall
            ? Latent(repeating: posteriorVariance[t], shape: logVariance.shape) : logVariance.map { exp($0) }
    }
}
