import Tensors

/// Mean and unbiased covariance of a set of feature vectors: all that a Fréchet distance needs.
public struct FeatureStatistics: Sendable, Equatable {
    /// N, the number of vectors.
    public let count: Int
    public let mean: [Double]
    /// `[D, D]`, divided by N − 1.
    public let covariance: Matrix

    /// - Throws: `MetricError` when sizes disagree, N < 2, or a number is not finite; it names the array.
    public init(count: Int, mean: [Double], covariance: Matrix, name: String = "features") throws {
        guard count >= 2 else {
            throw MetricError("\(name): \(count) vector(s) have no covariance; at least 2 are needed.")
        }
        guard covariance.rows == mean.count, covariance.columns == mean.count, !mean.isEmpty else {
            throw MetricError(
                "\(name): a mean of \(mean.count) values does not go with a covariance of "
                    + "\(covariance.rows)×\(covariance.columns).")
        }
        if let index = mean.firstIndex(where: { !$0.isFinite }) {
            throw MetricError(
                "\(name): the mean's value \(index) is \(mean[index]); features must be finite.")
        }
        if let (i, j) = covariance.firstNonFinite {
            throw MetricError("\(name): the covariance's entry (\(i), \(j)) is \(covariance[i, j]).")
        }
        (self.count, self.mean, self.covariance) = (count, mean, covariance.symmetrised)
    }

    /// Statistics of the rows of a matrix.
    public init(of features: Matrix, name: String = "features") throws {
        var accumulator = StatisticsAccumulator(dimensions: features.columns)
        accumulator.add(features)
        self = try accumulator.statistics(name: name)
    }

    public var dimensions: Int { mean.count }

    /// Population standard deviation (divided by N) of every feature.
    public var populationDeviation: [Double] {
        let share = Double(count - 1) / Double(count)
        return (0..<dimensions).map { max(0, covariance[$0, $0] * share).squareRoot() }
    }

    /// The statistics of the features divided by `scale`, one positive number per feature.
    public func divided(by scale: [Double]) throws -> FeatureStatistics {
        var scaled = covariance
        for i in 0..<dimensions { for j in 0..<dimensions { scaled[i, j] /= scale[i] * scale[j] } }
        return try FeatureStatistics(count: count, mean: zip(mean, scale).map { $0 / $1 }, covariance: scaled)
    }
}

/// Streaming mean and covariance in double precision, in bounded memory.
///
/// Rows are folded in blocks of fixed length in the order they come, so the result does not depend on how they
/// were batched. Uses the centred update of Chan, Golub and LeVeque (1983), which keeps its digits when the mean
/// is large against the spread.
public struct StatisticsAccumulator: Sendable {
    private static let blockLength = 256

    public let dimensions: Int
    /// Rows seen so far.
    public var count: Int { foldedCount + pending.count / max(1, dimensions) }
    private var foldedCount = 0
    private var mean: [Double]
    /// Upper triangle of the centred scatter matrix.
    private var scatter: Matrix
    private var pending: [Double] = []

    public init(dimensions: Int) {
        self.dimensions = dimensions
        mean = [Double](repeating: 0, count: dimensions)
        scatter = Matrix(zeros: dimensions, dimensions)
    }

    /// Adds every row of a matrix of features.
    public mutating func add(_ features: Matrix) {
        precondition(
            features.columns == dimensions, "features have \(features.columns) dimensions, not \(dimensions)")
        for row in 0..<features.rows { add(row: features.row(row)) }
    }

    /// Adds one feature vector.
    public mutating func add(row: some Collection<Double>) {
        precondition(row.count == dimensions, "a feature vector has \(row.count) values, not \(dimensions)")
        pending.append(contentsOf: row)
        if pending.count == Self.blockLength * dimensions { fold() }
    }

    /// Adds what another accumulator saw. Merging parts in a fixed order gives a fixed result, which may differ
    /// in the last bits from one pass over all rows.
    public mutating func merge(_ other: StatisticsAccumulator) {
        var other = other
        fold()
        other.fold()
        combine(count: other.foldedCount, mean: other.mean, scatter: other.scatter)
    }

    /// - Parameter name: what an error calls the set.
    /// - Throws: `MetricError` for fewer than two rows or numbers that are not finite.
    public func statistics(name: String = "features") throws -> FeatureStatistics {
        var whole = self
        whole.fold()
        guard whole.foldedCount >= 2 else {
            throw MetricError(
                "\(name): \(whole.foldedCount) vector(s) have no covariance; at least 2 are needed.")
        }
        var covariance = whole.scatter
        let divisor = Double(whole.foldedCount - 1)
        for i in 0..<dimensions {
            for j in i..<dimensions {
                covariance[i, j] /= divisor
                covariance[j, i] = covariance[i, j]
            }
        }
        return try FeatureStatistics(
            count: whole.foldedCount, mean: whole.mean, covariance: covariance, name: name)
    }

    private mutating func fold() {
        guard !pending.isEmpty else { return }
        var block = Matrix(rows: pending.count / dimensions, columns: dimensions, values: pending)
        pending.removeAll(keepingCapacity: true)
        let blockMean = block.centreColumns()
        var blockScatter = Matrix(zeros: dimensions, dimensions)
        LinearAlgebra.addGram(of: block, toUpperTriangleOf: &blockScatter)
        combine(count: block.rows, mean: blockMean, scatter: blockScatter)
    }

    private mutating func combine(count: Int, mean other: [Double], scatter otherScatter: Matrix) {
        guard count > 0 else { return }
        let total = Double(foldedCount + count)
        let weight = Double(foldedCount) * Double(count) / total
        let shift = zip(other, mean).map { $0 - $1 }
        scatter.values.withUnsafeMutableBufferPointer { target in
            otherScatter.values.withUnsafeBufferPointer { source in
                for i in 0..<dimensions {
                    let scale = shift[i] * weight
                    for j in i..<dimensions {
                        target[i * dimensions + j] += source[i * dimensions + j] + scale * shift[j]
                    }
                }
            }
        }
        for i in 0..<dimensions { mean[i] += shift[i] * Double(count) / total }
        foldedCount += count
    }
}

extension Matrix {
    /// Subtracts each column's mean and returns the means.
    mutating func centreColumns() -> [Double] {
        var means = [Double](repeating: 0, count: columns)
        for i in 0..<rows { for j in 0..<columns { means[j] += self[i, j] } }
        for j in 0..<columns { means[j] /= Double(rows) }
        // A second pass removes the rounding of the first mean, which matters when the offset is large.
        var rest = [Double](repeating: 0, count: columns)
        for i in 0..<rows { for j in 0..<columns { rest[j] += self[i, j] - means[j] } }
        for j in 0..<columns { means[j] += rest[j] / Double(rows) }
        for i in 0..<rows { for j in 0..<columns { self[i, j] -= means[j] } }
        return means
    }
}
