import Tensors

/// Exact Euclidean distances between feature sets, in bounded memory.
///
/// A tile of squared distances comes from one matrix product; where its rounding could change an answer, the sum of
/// squared differences decides.
struct DistanceTiles {
    let rows: Matrix
    let columns: Matrix
    private let rowNorms: [Double]
    private let columnNorms: [Double]
    /// Share of ‖u‖² + ‖v‖² within which a product's squared distance is not trusted.
    private static let trust = 1e-6
    private static let tileElements = 1 << 22

    init(_ rows: Matrix, _ columns: Matrix) {
        (self.rows, self.columns) = (rows, columns)
        (rowNorms, columnNorms) = (squaredNorms(rows), squaredNorms(columns))
    }

    /// The results of `body` for consecutive tiles of rows, computed on all threads. It gets a row range and the
    /// approximate squared distances of these rows to all columns.
    func mapTiles<Value>(_ body: (Range<Int>, UnsafeBufferPointer<Double>) throws -> Value) throws -> [Value]
    {
        let width = columns.rows
        let height = max(1, Self.tileElements / max(1, width))
        let tiles = stride(from: 0, to: rows.rows, by: height).map { $0..<min($0 + height, rows.rows) }
        return try ComputeThreads.map(tiles) { range in
            var tile = LinearAlgebra.product(rows.selecting(rows: range), columns, transposingSecond: true)
            return try tile.values.withUnsafeMutableBufferPointer { values in
                for i in range {
                    let row = (i - range.lowerBound) * width
                    for j in 0..<width {
                        values[row + j] = max(0, rowNorms[i] + columnNorms[j] - 2 * values[row + j])
                    }
                }
                return try body(range, UnsafeBufferPointer(values))
            }
        }
    }

    /// The squared distance of row i and column j, summed term by term.
    func exact(_ i: Int, _ j: Int) -> Double { squaredDistance(rows.row(i), columns.row(j)) }

    /// How far an approximate squared distance may be off.
    func margin(_ i: Int, _ j: Int) -> Double { Self.trust * (rowNorms[i] + columnNorms[j]) }

    /// The squared distance, exact when `approximate` is within its margin of `threshold`.
    func decisive(_ approximate: Double, _ i: Int, _ j: Int, against threshold: Double) -> Double {
        abs(approximate - threshold) <= margin(i, j) ? exact(i, j) : approximate
    }

    /// The `count` nearest columns of every row, nearest first, by exact squared distance and then by index.
    /// - Parameter skippingSelf: leaves out column i for row i, for a set against itself.
    func nearest(_ count: Int, skippingSelf: Bool) throws -> [[(index: Int, squared: Double)]] {
        let largestNorm = columnNorms.max() ?? 0
        let width = columns.rows
        return try mapTiles { range, tile in
            range.map { i in
                let start = (i - range.lowerBound) * width
                let distances = UnsafeBufferPointer(rebasing: tile[start..<start + width])
                let limit = kthSmallest(distances, count, skipping: skippingSelf ? i : nil)
                let slack = 2 * Self.trust * (rowNorms[i] + largestNorm)
                var candidates: [(index: Int, squared: Double)] = []
                for j in 0..<width where distances[j] <= limit + slack && !(skippingSelf && i == j) {
                    candidates.append((j, exact(i, j)))
                }
                candidates.sort { ($0.squared, $0.index) < ($1.squared, $1.index) }
                return Array(candidates.prefix(count))
            }
        }.flatMap { $0 }
    }

    /// The k-th smallest value, by insertion into a short sorted list.
    private func kthSmallest(_ values: UnsafeBufferPointer<Double>, _ k: Int, skipping skipped: Int?)
        -> Double
    {
        var smallest: [Double] = []
        for j in values.indices where j != skipped {
            let value = values[j]
            guard smallest.count < k || value < smallest[k - 1] else { continue }
            if smallest.count == k { smallest.removeLast() }
            smallest.insert(value, at: smallest.firstIndex { $0 > value } ?? smallest.count)
        }
        return smallest.last ?? 0
    }
}

/// The nearest neighbours of feature vectors in another set.
public enum Neighbours {
    /// - Returns: per row of `features` the `count` nearest rows of `reference`, nearest first, with distances.
    public static func nearest(
        _ count: Int = 1, of features: Matrix, in reference: Matrix
    ) throws -> [[(index: Int, distance: Double)]] {
        try DistanceTiles(features, reference).nearest(count, skippingSelf: false).map { row in
            row.map { ($0.index, $0.squared.squareRoot()) }
        }
    }

    /// The nearest other rows within one set.
    public static func nearestOthers(
        _ count: Int = 1, in features: Matrix
    ) throws -> [[(index: Int, distance: Double)]] {
        try DistanceTiles(features, features).nearest(count, skippingSelf: true).map { row in
            row.map { ($0.index, $0.squared.squareRoot()) }
        }
    }
}
