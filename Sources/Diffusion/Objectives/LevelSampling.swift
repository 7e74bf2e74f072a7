import Foundation

/// The distribution of a flow-matching time s in 0…1 (1 = noise).
public enum FlowTimeSampling: Hashable, Sendable {
    case uniform
    /// sigmoid(mean + deviation·n) (SD3, arXiv 2403.03206, equation 19).
    case logitNormal(mean: Double, deviation: Double)
    /// 1 − u − c(cos²(πu/2) − 1 + u) (SD3, equation 20).
    case mode(scale: Double)

    /// The time for drawn numbers u (uniform) and n (normal).
    public func time(uniform u: Double, normal n: Double) -> Double {
        switch self {
        case .uniform: return u
        case .logitNormal(let mean, let deviation): return 1 / (1 + exp(-(mean + deviation * n)))
        case .mode(let scale):
            let c = cos(Double.pi * u / 2)
            return 1 - u - scale * (c * c - 1 + u)
        }
    }
}

/// Which noise levels a training step visits.
public enum LevelSampling: Sendable {
    /// A uniformly drawn step of a discrete process.
    case discrete(GaussianProcess)
    /// A flow time from a distribution, shifted, on the straight path.
    case flow(FlowTimeSampling, shift: Double, path: FlowPath)
    /// ln σ ~ N(mean, deviation²) on the exploding path (EDM: −1.2, 1.2; EDM2: −0.4, 1).
    case logNormal(mean: Double, deviation: Double, path: ExplodingPath)
    /// A time uniform between two bounds on an interpolant.
    case interpolant(Interpolant, bounds: ClosedRange<Double>)

    /// The level for drawn numbers, and the step it is in a discrete process.
    public func level(uniform u: Double, normal n: Double) -> (NoiseLevel, step: Int?) {
        switch self {
        case .discrete(let process):
            let step = min(Int(u * Double(process.stepCount)), process.stepCount - 1)
            return (process.level(at: step), step)
        case .flow(let sampling, let shift, let path):
            let s = FlowSchedule.shifted(sampling.time(uniform: u, normal: n), by: shift)
            return (path.level(time: s), nil)
        case .logNormal(let mean, let deviation, let path):
            return (path.level(sigma: exp(mean + deviation * n)), nil)
        case .interpolant(let path, let bounds):
            let t = bounds.lowerBound + u * (bounds.upperBound - bounds.lowerBound)
            return (path.level(time: t), nil)
        }
    }
}
