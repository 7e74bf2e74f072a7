import Foundation

/// A process with a time of its own: t ↦ (a, b) and their rates, what an ODE or SDE solver walks along.
public protocol TimedPath: Sendable {
    func level(time t: Double) -> NoiseLevel
}

/// SiT's paths from noise (t = 0) to data (t = 1) (arXiv 2401.08740): x_t = a(t)·x₀ + b(t)·ε.
public enum Interpolant: String, TimedPath, Hashable, Sendable, Codable, CaseIterable {
    /// a = t, b = 1 − t.
    case linear
    /// a = sin(πt/2), b = cos(πt/2).
    case generalizedVP
    /// The variance-preserving diffusion with β from 0.1 to 20, run backwards.
    case variancePreserving

    public func level(time t: Double) -> NoiseLevel {
        switch self {
        case .linear:
            return NoiseLevel(signal: t, noise: 1 - t, time: t, signalRate: 1, noiseRate: -1)
        case .generalizedVP:
            let angle = Double.pi / 2 * t
            return NoiseLevel(
                signal: sin(angle), noise: cos(angle), time: t, signalRate: Double.pi / 2 * cos(angle),
                noiseRate: -Double.pi / 2 * sin(angle))
        case .variancePreserving:
            let u = 1 - t
            let signal = exp(-0.25 * u * u * 19.9 - 0.5 * u * 0.1)
            let signalRate = signal * (0.5 * u * 19.9 + 0.5 * 0.1)
            let noise = (1 - signal * signal).squareRoot()
            return NoiseLevel(
                signal: signal, noise: noise, time: t, signalRate: signalRate,
                noiseRate: noise > 0 ? -signal * signalRate / noise : 0)
        }
    }

    /// The times a network is trained and sampled at.
    /// - Parameters:
    ///   - prediction: a velocity on the linear and generalised paths is finite everywhere; the rest keeps
    ///     away from the ends.
    ///   - epsilon: the distance kept; nil for SiT's own (1e-5 for the variance-preserving path, 1e-3 else).
    public func timeBounds(prediction: Prediction, epsilon: Double? = nil) -> ClosedRange<Double> {
        if self == .variancePreserving { return 0...(1 - (epsilon ?? 1e-5)) }
        if prediction == .pathVelocity { return 0...1 }
        let margin = epsilon ?? 1e-3
        return margin...(1 - margin)
    }
}
