import Tensors

/// A set's manifold as its neighbours draw it: the union of balls around its points that reach to the k-th nearest
/// other point, for every k up to a largest.
public struct Manifold: Sendable {
    public let name: String
    public let features: Matrix
    public let largestK: Int
    /// Squared distances of every point to its nearest others, nearest first.
    private let squaredDistances: [[Double]]

    /// - Throws: `MetricError` for fewer than k + 2 points or numbers that are not finite.
    public init(_ features: Matrix, largestK: Int, name: String = "features") throws {
        guard features.rows >= largestK + 2 else {
            throw MetricError(
                "\(name): \(features.rows) vectors, neighbours of order \(largestK) need at least \(largestK + 2)."
            )
        }
        if let (row, column) = features.firstNonFinite {
            throw MetricError("\(name): feature \(column) of vector \(row) is \(features[row, column]).")
        }
        (self.name, self.features, self.largestK) = (name, features, largestK)
        squaredDistances = try DistanceTiles(features, features).nearest(largestK, skippingSelf: true)
            .map { $0.map(\.squared) }
    }

    /// Distance of every point to its k-th nearest other point.
    public func radii(_ k: Int) -> [Double] { squaredRadii(k).map { $0.squareRoot() } }

    func squaredRadii(_ k: Int) -> [Double] {
        precondition(k <= largestK, "the manifold knows \(largestK) neighbours, not \(k)")
        return squaredDistances.map { $0[k - 1] }
    }
}

/// Precision and recall (Kynkäänniemi et al., arXiv 1904.06991), density and coverage (Naeem et al.,
/// arXiv 2002.09797), realism.
public struct ManifoldMetrics: Sendable {
    /// Share of samples inside the reference's manifold.
    public let precision: Double
    /// Share of the reference inside the samples' manifold.
    public let recall: Double
    /// Mean number of reference balls around a sample, divided by k.
    public let density: Double
    /// Share of reference balls that hold a sample.
    public let coverage: Double
    /// Per sample the largest ratio of a reference ball's radius to the distance from its centre, over balls with
    /// less than the median radius.
    public let realism: [Double]

    /// Harmonic mean of precision and recall.
    public var fScore: Double {
        precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
    }

    /// - Parameters:
    ///   - k: 3 is customary for precision and recall, 5 for density and coverage.
    ///   - strict: a point on a ball's surface is outside, as in the `prdc` package; duplicates then count as
    ///     outside.
    public init(samples: Manifold, reference: Manifold, k: Int, strict: Bool = false) throws {
        guard samples.features.columns == reference.features.columns else {
            throw MetricError(
                "\(samples.name) and \(reference.name) need one kind of features, not \(samples.features.columns) "
                    + "and \(reference.features.columns) dimensions.")
        }
        let pass = BallPass(
            tiles: DistanceTiles(samples.features, reference.features),
            sampleSquares: samples.squaredRadii(k),
            referenceSquares: reference.squaredRadii(k), strict: strict)
        let counts = try pass.run()
        let (n, m) = (Double(samples.features.rows), Double(reference.features.rows))
        precision = Double(counts.ballsAroundSample.count { $0 > 0 }) / n
        recall = Double(counts.isReferenceInside.memberCount) / m
        density = Double(counts.ballsAroundSample.reduce(0, +)) / (Double(k) * n)
        coverage = Double(counts.isBallOccupied.memberCount) / m
        realism = counts.realism
    }
}

/// One pass over all sample-reference distances.
private struct BallPass {
    let tiles: DistanceTiles
    let sampleSquares: [Double]
    let referenceSquares: [Double]
    let strict: Bool

    struct Counts {
        var ballsAroundSample: [Int] = []
        var isReferenceInside: BitSet
        var isBallOccupied: BitSet
        var realism: [Double] = []

        init(references: Int) {
            isReferenceInside = BitSet(count: references)
            isBallOccupied = isReferenceInside
        }

        mutating func append(_ other: Counts) {
            ballsAroundSample += other.ballsAroundSample
            realism += other.realism
            isReferenceInside.formUnion(other.isReferenceInside)
            isBallOccupied.formUnion(other.isBallOccupied)
        }
    }

    func run() throws -> Counts {
        let radii = referenceSquares.map { $0.squareRoot() }
        let middle = median(radii)
        let parts = try tiles.mapTiles { range, distances in
            var counts = Counts(references: radii.count)
            for i in range {
                let start = (i - range.lowerBound) * radii.count
                let row = UnsafeBufferPointer(rebasing: distances[start..<start + radii.count])
                count(i, row, radii, middle, &counts)
            }
            return counts
        }
        var whole = Counts(references: radii.count)
        for part in parts { whole.append(part) }
        return whole
    }

    private func count(
        _ i: Int, _ distances: UnsafeBufferPointer<Double>, _ radii: [Double], _ middle: Double,
        _ counts: inout Counts
    ) {
        var (around, best) = (0, 0.0)
        for j in radii.indices {
            if isInside(distances[j], i, j, referenceSquares[j]) {
                around += 1
                counts.isBallOccupied.insert(j)
            }
            if isInside(distances[j], i, j, sampleSquares[i]) { counts.isReferenceInside.insert(j) }
            if radii[j] < middle {
                let squared = tiles.decisive(distances[j], i, j, against: 0)
                best = max(best, radii[j] / squared.squareRoot())
            }
        }
        counts.ballsAroundSample.append(around)
        counts.realism.append(best)
    }

    private func isInside(_ squared: Double, _ i: Int, _ j: Int, _ limit: Double) -> Bool {
        let decisive = tiles.decisive(squared, i, j, against: limit)
        return strict ? decisive < limit : decisive <= limit
    }
}

/// Which of many things are so: an eighth of a byte each, because every tile of distances has its own.
private struct BitSet {
    private var words: [UInt64]

    init(count: Int) { words = [UInt64](repeating: 0, count: (count + 63) / 64) }

    mutating func insert(_ index: Int) { words[index >> 6] |= 1 << UInt64(index & 63) }

    mutating func formUnion(_ other: BitSet) { for i in words.indices { words[i] |= other.words[i] } }

    var memberCount: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
}

func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
