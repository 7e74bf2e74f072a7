import Foundation

/// The variances β added per step by a discrete variance-preserving process.
public enum BetaSchedule: Hashable, Sendable {
    /// 1e-4…0.02 for 1000 steps, scaled to any number of them (DDPM, arXiv 2006.11239; ADM). β is capped at
    /// 0.999, which takes effect below 21 steps, where ADM's exceeds 1.
    case linear
    /// The squared-cosine signal level, β capped at 0.999 (IDDPM, arXiv 2102.09672).
    case cosine
    /// Linear between the given bounds, whatever the number of steps (diffusers' "linear").
    case linearBetween(Double, Double)
    /// Linear in √β (Stable Diffusion: 0.00085…0.012).
    case scaledLinear(Double, Double)

    /// Stable Diffusion's betas.
    public static let stableDiffusion = BetaSchedule.scaledLinear(0.00085, 0.012)

    /// β of each of `count` steps, the first noising step first.
    public func betas(count: Int) -> [Double] {
        switch self {
        case .linear:
            let scale = 1000 / Double(count)
            return evenlySpaced(1e-4 * scale, 0.02 * scale, count).map { min($0, 0.999) }
        case .linearBetween(let first, let last):
            return evenlySpaced(first, last, count)
        case .scaledLinear(let first, let last):
            return evenlySpaced(first.squareRoot(), last.squareRoot(), count).map { $0 * $0 }
        case .cosine:
            func signal(_ u: Double) -> Double {
                let c = cos((u + 0.008) / 1.008 * Double.pi / 2)
                return c * c
            }
            return (0..<count).map { t in
                let (now, next) = (Double(t) / Double(count), Double(t + 1) / Double(count))
                return min(1 - signal(next) / signal(now), 0.999)
            }
        }
    }
}

/// ᾱ, the running product of 1 − β.
public func cumulativeSignal(betas: [Double]) -> [Double] {
    var product = 1.0
    return betas.map { beta in
        product *= 1 - beta
        return product
    }
}

/// The betas whose running product of 1 − β is `alphas`.
public func betas(cumulativeSignal alphas: [Double]) -> [Double] {
    alphas.indices.map { 1 - alphas[$0] / ($0 == 0 ? 1 : alphas[$0 - 1]) }
}

/// Shifts and scales √ᾱ so that the last step carries no signal at all and the first is unchanged
/// (zero terminal SNR, arXiv 2305.08891, Algorithm 1).
public func zeroTerminalSignal(_ alphas: [Double]) -> [Double] {
    guard let first = alphas.first?.squareRoot(), let last = alphas.last?.squareRoot() else { return [] }
    return alphas.map { alpha in
        let root = (alpha.squareRoot() - last) * first / (first - last)
        return root * root
    }
}

/// `count` evenly spaced numbers, both ends included.
func evenlySpaced(_ first: Double, _ last: Double, _ count: Int) -> [Double] {
    guard count > 1 else { return count == 1 ? [first] : [] }
    let step = (last - first) / Double(count - 1)
    return (0..<count).map { $0 == count - 1 ? last : first + Double($0) * step }
}
