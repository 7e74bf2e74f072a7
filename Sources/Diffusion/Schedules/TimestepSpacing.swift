/// How a shorter list of timesteps is chosen from the T trained ones.
public enum TimestepSpacing: String, Hashable, Sendable, Codable, CaseIterable {
    /// Multiples of T/N from 0: never reaches the noisiest step.
    case leading
    /// Counted down from T−1 in steps of T/N: never reaches step 0.
    case trailing
    /// Both ends included.
    case linspace

    /// Timesteps of a one-step method (DDIM, DDPM), descending; linspace is rounded when `isRounded`.
    public func timesteps(_ count: Int, of total: Int, offset: Int = 0, isRounded: Bool = true) -> [Double] {
        switch self {
        case .leading:
            let stride = total / count
            return (0..<count).reversed().map { Double($0 * stride + offset) }
        case .trailing:
            return Self.trailing(count, of: total)
        case .linspace:
            let list = evenlySpaced(0, Double(total - 1), count).reversed()
            return isRounded ? list.map { $0.rounded(.toNearestOrEven) } : Array(list)
        }
    }

    /// Timesteps of a multistep method (DPM-Solver, UniPC), descending: one more is laid out and the last
    /// (cleanest) one dropped.
    /// - Parameter total: number of usable timesteps, fewer than trained when the noisiest are clipped.
    public func multistepTimesteps(_ count: Int, of total: Int, trained: Int, offset: Int = 0) -> [Double] {
        switch self {
        case .leading:
            let stride = total / (count + 1)
            return (1...count).reversed().map { Double($0 * stride + offset) }
        case .trailing:
            return Self.trailing(count, of: total, trained: trained)
        case .linspace:
            return evenlySpaced(0, Double(total - 1), count + 1).dropFirst().reversed()
                .map { $0.rounded(.toNearestOrEven) }
        }
    }

    private static func trailing(_ count: Int, of total: Int, trained: Int? = nil) -> [Double] {
        let stride = Double(trained ?? total) / Double(count)
        return (0..<count).map { (Double(total) - Double($0) * stride).rounded(.toNearestOrEven) - 1 }
    }
}
