import Tensors

/// Precision and recall (Kynkäänniemi et al., arXiv 1904.06991), density and coverage (Naeem et al.,
/// arXiv 2002.09797), realism: a set's manifold is the union of balls around its points that reach to the k-th
/// nearest other point.
public struct ManifoldMetrics: Sendable {
    /// Share of samples inside the reference's manifold.
    public let precision: Double
    /// Share of the reference inside the samples' manifold.
    public let recall: Double
    /// Mean number of reference balls around a sample, divided by k.
    public let density: Double
    /// Share of reference balls that hold a sample.
    public let coverage: Double
    /// Distance of each point to its k-th nearest other point.
    public let sampleRadii: [Double]
    public let referenceRadii: [Double]
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
    /// - Throws: `MetricError` for fewer than k + 2 points or numbers that are not finite.
    public init(samples: Matrix, reference: Matrix, k: Int, strict: Bool = false) throws {
        try Self.check(samples, "samples", k: k)
        try Self.check(reference, "reference", k: k)
        guard samples.columns == reference.columns else {
            throw MetricError(
                "samples and reference need one kind of features, not \(samples.columns) and "
                    + "\(reference.columns) dimensions.")
        }
        let sampleSquares = Self.squaredRadii(samples, k: k)
        let referenceSquares = Self.squaredRadii(reference, k: k)
        let counts = Counts(
            DistanceTiles(samples, reference), sampleSquares, referenceSquares, strict: strict)
        let (n, m) = (Double(samples.rows), Double(reference.rows))
        precision = Double(counts.ballsAroundSample.count { $0 > 0 }) / n
        recall = Double(counts.isReferenceInside.count { $0 }) / m
        density = Double(counts.ballsAroundSample.reduce(0, +)) / (Double(k) * n)
        coverage = Double(counts.isBallOccupied.count { $0 }) / m
        realism = counts.realism
        sampleRadii = sampleSquares.map { $0.squareRoot() }
        referenceRadii = referenceSquares.map { $0.squareRoot() }
    }

    private static func check(_ features: Matrix, _ name: String, k: Int) throws {
        guard features.rows >= k + 2 else {
            throw MetricError(
                "\(name): \(features.rows) vectors, neighbours of order \(k) need at least \(k + 2).")
        }
        if let (row, column) = features.firstNonFinite {
            throw MetricError("\(name): feature \(column) of vector \(row) is \(features[row, column]).")
        }
    }

    private static func squaredRadii(_ features: Matrix, k: Int) -> [Double] {
        DistanceTiles(features, features).nearest(k, skippingSelf: true).map { $0[k - 1].squared }
    }

    /// One pass over all sample-reference distances.
    private struct Counts {
        var ballsAroundSample: [Int]
        var isReferenceInside: [Bool]
        var isBallOccupied: [Bool]
        var realism: [Double]

        init(_ tiles: DistanceTiles, _ sampleSquares: [Double], _ referenceSquares: [Double], strict: Bool) {
            var (balls, inside) = ([Int](), [Bool](repeating: false, count: referenceSquares.count))
            var (occupied, realism) = (inside, [Double]())
            let radii = referenceSquares.map { $0.squareRoot() }
            let median = Self.median(radii)
            tiles.forEachRow { i, distances in
                var (around, best) = (0, 0.0)
                for j in distances.indices {
                    let toBall = tiles.decisive(distances[j], i, j, against: referenceSquares[j])
                    if strict ? toBall < referenceSquares[j] : toBall <= referenceSquares[j] {
                        around += 1
                        occupied[j] = true
                    }
                    let toSample = tiles.decisive(distances[j], i, j, against: sampleSquares[i])
                    if strict ? toSample < sampleSquares[i] : toSample <= sampleSquares[i] {
                        inside[j] = true
                    }
                    if radii[j] < median {
                        let squared = tiles.decisive(distances[j], i, j, against: 0)
                        best = max(best, radii[j] / squared.squareRoot())
                    }
                }
                balls.append(around)
                realism.append(best)
            }
            (ballsAroundSample, isReferenceInside, isBallOccupied) = (balls, inside, occupied)
            self.realism = realism
        }

        private static func median(_ values: [Double]) -> Double {
            let sorted = values.sorted()
            let middle = sorted.count / 2
            return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        }
    }
}
