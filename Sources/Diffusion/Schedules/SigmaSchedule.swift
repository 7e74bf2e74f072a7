import Foundation

/// Noise levels σ for a given number of steps, in descending order, without the final 0.
public enum SigmaSchedule: Hashable, Sendable {
    /// Linear in σ^{1/ρ} (EDM, arXiv 2206.00364, equation 5).
    case karras(min: Double, max: Double, rho: Double)
    /// Linear in log σ.
    case exponential(min: Double, max: Double)
    /// A ramp to the power ρ in log σ.
    case polyexponential(min: Double, max: Double, rho: Double)
    /// σ(t) of the continuous variance-preserving process at evenly spaced t in 1…ε.
    case variancePreserving(betaD: Double, betaMin: Double, epsilon: Double)
    /// Quantiles of a beta distribution between the bounds (arXiv 2407.12173).
    case beta(min: Double, max: Double, alpha: Double, beta: Double)
    /// The levels of EDM's reading of iDDPM.
    case iddpm(min: Double, max: Double)

    public static let edm = SigmaSchedule.karras(min: 0.002, max: 80, rho: 7)

    public func sigmas(count: Int) -> [Double] {
        switch self {
        case .karras(let low, let high, let rho):
            return evenlySpaced(pow(high, 1 / rho), pow(low, 1 / rho), count).map { pow($0, rho) }
        case .exponential(let low, let high):
            return evenlySpaced(log(high), log(low), count).map { exp($0) }
        case .polyexponential(let low, let high, let rho):
            return evenlySpaced(1, 0, count).map { exp(pow($0, rho) * (log(high) - log(low)) + log(low)) }
        case .variancePreserving(let betaD, let betaMin, let epsilon):
            return evenlySpaced(1, epsilon, count).map { t in
                expm1(betaD * t * t / 2 + betaMin * t).squareRoot()
            }
        case .beta(let low, let high, let alpha, let beta):
            let distribution = BetaDistribution(alpha: alpha, beta: beta)
            return evenlySpaced(1, 0, count).map { low + (high - low) * distribution.quantile($0) }
        case .iddpm(let low, let high):
            return Self.iddpmSigmas(count: count, min: low, max: high)
        }
    }

    /// u_0…u_M of EDM's iDDPM table: descending, u_M = 0.
    /// - Parameter isSinglePrecision: takes the signal level in float32, as the released sampler does. Near the
    ///   clean end the ratio of two of them is then all rounding, and moves the lowest σ by 5e-4 of its value.
    public static func iddpmTable(
        stepCount m: Int = 1000, floor: Double = 1e-3, offset: Double = 0.008, isSinglePrecision: Bool = false
    ) -> [Double] {
        func signal(_ j: Int) -> Double {
            let s = sin(Double.pi / 2 * Double(j) / Double(m) / (offset + 1))
            return s * s
        }
        func signalSingle(_ j: Int) -> Float {
            let s = sin(Float(Double.pi / 2) * Float(j) / Float(m) / Float(offset + 1))
            return s * s
        }
        var table = Array(repeating: 0.0, count: m + 1)
        for j in stride(from: m, to: 0, by: -1) {
            let ratio =
                isSinglePrecision
                ? Double(signalSingle(j - 1) / signalSingle(j)) : signal(j - 1) / signal(j)
            table[j - 1] = ((table[j] * table[j] + 1) / max(ratio, floor) - 1).squareRoot()
        }
        return table
    }

    private static func iddpmSigmas(count: Int, min low: Double, max high: Double) -> [Double] {
        let kept = iddpmTable(isSinglePrecision: true).filter { $0 >= low && $0 <= high }
        guard count > 1 else { return Array(kept.prefix(1)) }
        return (0..<count).map { i in
            let position = Double(kept.count - 1) / Double(count - 1) * Double(i)
            return kept[Int(position.rounded(.toNearestOrEven))]
        }
    }
}
