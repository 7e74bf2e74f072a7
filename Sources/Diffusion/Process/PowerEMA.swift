import Foundation

/// The power-function average of weights of EDM2 (arXiv 2312.02696, sections 3.1–3.2): older weights fade by a
/// power of training time, and any width can be had after the fact.
public struct PowerEMA: Hashable, Sendable {
    /// γ of the profile (γ+1)·τ^γ/t^{γ+1}.
    public var exponent: Double

    public init(exponent: Double) { self.exponent = exponent }

    /// - Parameter width: the profile's standard deviation relative to training time, 0.05…0.25 in practice.
    public init(width: Double) {
        // γ³ + 7γ² + (16 − s⁻²)γ + (12 − s⁻²) = 0: the largest real root, by Newton's method from above,
        // where the cubic is convex and increasing, so that it cannot be missed.
        let inverse = 1 / (width * width)
        var gamma = 4 + 2 / width + inverse.squareRoot()
        for _ in 0..<200 {
            let value = ((gamma + 7) * gamma + 16 - inverse) * gamma + 12 - inverse
            let slope = (3 * gamma + 14) * gamma + 16 - inverse
            let next = gamma - value / slope
            if abs(next - gamma) <= 1e-15 * max(abs(gamma), 1) { break }
            gamma = next
        }
        exponent = gamma
    }

    /// s, the relative width of the profile.
    public var width: Double {
        ((exponent + 1) / ((exponent + 2) * (exponent + 2) * (exponent + 3))).squareRoot()
    }

    /// β of e ← βe + (1−β)p.
    /// - Parameters:
    ///   - time: training time after the step, for instance in samples.
    ///   - step: how much of it the step took.
    public func decay(at time: Double, step: Double) -> Double {
        pow(max(1 - step / time, 0), exponent + 1)
    }

    /// ∫ of the product of two profiles that end at the times given.
    static func correlation(_ a: PowerEMA, at t: Double, _ b: PowerEMA, at u: Double) -> Double {
        let ratio = t < u ? pow(t / u, b.exponent) : pow(u / t, a.exponent)
        return (a.exponent + 1) * (b.exponent + 1) * ratio / ((a.exponent + b.exponent + 1) * max(t, u))
    }

    /// How stored averages combine to the average that was not stored: the least-squares weights of each,
    /// scaled to sum to 1.
    /// - Parameters:
    ///   - stored: profile and time of each average on disk.
    ///   - wanted: the profile and time to be made.
    public static func coefficients(
        stored: [(profile: PowerEMA, time: Double)], wanted: (profile: PowerEMA, time: Double)
    ) -> [Double] {
        let matrix = stored.map { a in
            stored.map { b in correlation(a.profile, at: a.time, b.profile, at: b.time) }
        }
        let right = stored.map { correlation($0.profile, at: $0.time, wanted.profile, at: wanted.time) }
        let weights = solveLinear(matrix, right)
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
