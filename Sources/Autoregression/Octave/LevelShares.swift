import Layers

/// Which level each place of a batch trains, so that every update sees all levels in fixed proportions,
/// however its batch is split.
public struct LevelShares: Hashable, Sendable {
    /// Share of each level; they sum to 1.
    public let weights: [Double]

    /// - Parameter weights: positive, in any unit.
    public init(_ weights: [Double]) {
        precondition(
            !weights.isEmpty && weights.allSatisfy { $0 > 0 }, "shares of levels must be positive: \(weights)"
        )
        let sum = weights.reduce(0, +)
        self.weights = weights.map { $0 / sum }
    }

    /// Shares that grow with the root of a level's number of tokens.
    public init(tokens grids: [Grid]) { self.init(grids.map { Double($0.count).squareRoot() }) }

    /// The levels of some places of the batch: each place takes the level that is furthest behind its share.
    public func levels(_ places: Range<Int>) -> [Int] {
        var counts = [Int](repeating: 0, count: weights.count)
        return (0..<places.upperBound).map { place in
            let lag = weights.indices.map { Double(place + 1) * weights[$0] - Double(counts[$0]) }
            let level = lag.indices.reduce(0) { lag[$1] > lag[$0] + 1e-9 ? $1 : $0 }
            counts[level] += 1
            return level
        }.suffix(places.count)
    }
}
