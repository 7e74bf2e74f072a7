import Foundation

/// What a network's output means, and how the clean sample and the noise are read from it.
///
/// With x = a·x₀ + b·ε, every output is an invertible linear function of (x₀, ε) at fixed x.
public enum Prediction: Hashable, Sendable {
    /// The noise ε.
    case noise
    /// The clean sample x₀.
    case clean
    /// v = a·ε − b·x₀ of a variance-preserving process (progressive distillation, arXiv 2202.00512).
    case velocity
    /// ε − x₀ (rectified flow).
    case flow
    /// ȧ·x₀ + ḃ·ε with the rates of the level (SiT, arXiv 2401.08740).
    case pathVelocity
    /// The score ∇ log p(x) = −ε/b.
    case score
    /// The raw output F of an EDM network: x₀ = c_skip·x + c_out·F.
    case preconditioned(Preconditioning)

    /// The estimate of x₀ that the output stands for.
    public func clean(from output: Latent, x: Latent, at level: NoiseLevel) -> Latent {
        let (cx, co) = cleanCoefficients(at: level)
        return .combine((cx, x), (co, output))
    }

    /// The estimate of ε that the output stands for.
    public func noise(from output: Latent, x: Latent, at level: NoiseLevel) -> Latent {
        let (cx, co) = noiseCoefficients(at: level)
        return .combine((cx, x), (co, output))
    }

    /// x₀ = first·x + second·output.
    public func cleanCoefficients(at level: NoiseLevel) -> (Double, Double) {
        let (a, b) = (level.signal, level.noise)
        switch self {
        case .noise: return (1 / a, -b / a)
        case .clean: return (0, 1)
        case .velocity: return (a, -b)
        case .flow: return (1 / (a + b), -b / (a + b))
        case .score: return (1 / a, b * b / a)
        case .pathVelocity:
            let determinant = b * level.signalRate - a * level.noiseRate
            return (-level.noiseRate / determinant, b / determinant)
        case .preconditioned(let edm):
            let c = edm.coefficients(sigma: level.sigma)
            return (c.skip / a, c.out)
        }
    }

    /// ε = first·x + second·output.
    public func noiseCoefficients(at level: NoiseLevel) -> (Double, Double) {
        let (a, b) = (level.signal, level.noise)
        switch self {
        case .noise: return (0, 1)
        case .clean: return (1 / b, -a / b)
        case .velocity: return (b, a)
        case .flow: return (1 / (a + b), a / (a + b))
        case .score: return (0, -b)
        case .pathVelocity:
            let determinant = b * level.signalRate - a * level.noiseRate
            return (level.signalRate / determinant, -a / determinant)
        case .preconditioned:
            let (cx, co) = cleanCoefficients(at: level)
            return ((1 - a * cx) / b, -a * co / b)
        }
    }

    /// What the network should answer: first·x₀ + second·ε.
    public func targetCoefficients(at level: NoiseLevel) -> (Double, Double) {
        let (a, b) = (level.signal, level.noise)
        switch self {
        case .noise: return (0, 1)
        case .clean: return (1, 0)
        case .velocity: return (-b, a)
        case .flow: return (-1, 1)
        case .score: return (0, -1 / b)
        case .pathVelocity: return (level.signalRate, level.noiseRate)
        case .preconditioned(let edm):
            let c = edm.coefficients(sigma: level.sigma)
            return ((1 - c.skip) / c.out, -c.skip * level.sigma / c.out)
        }
    }

    /// The factor on x at the network's door.
    public func inputScale(at level: NoiseLevel) -> Double {
        guard case .preconditioned(let edm) = self else { return 1 }
        return edm.coefficients(sigma: level.sigma).input / level.signal
    }
}
