import Tensors

/// The Fréchet distance between two Gaussians fitted to feature sets (Heusel et al., arXiv 1706.08500):
/// ‖μ₁ − μ₂‖² + tr S₁ + tr S₂ − 2·tr (S₁S₂)^½.
///
/// The last trace is the nuclear norm of A₁ᵀA₂ for any factors S = AAᵀ, computed from singular values: no root of
/// a non-symmetric matrix is taken, so the result is always a real finite number.
public enum FrechetDistance {
    /// The distance and the terms it is made of.
    public struct Value: Sendable {
        /// ‖μ₁ − μ₂‖².
        public let meanTerm: Double
        /// tr S₁ and tr S₂.
        public let traces: (Double, Double)
        /// tr (S₁S₂)^½.
        public let rootTrace: Double

        public var distance: Double {
            let total = meanTerm + traces.0 + traces.1 - 2 * rootTrace
            return total < 0 && total > -1e-6 * (traces.0 + traces.1) ? 0 : total
        }
    }

    /// From statistics: both covariances are factored by their eigenvectors.
    /// - Throws: `MetricError` when dimensions differ, `LinearAlgebraError` when a decomposition fails.
    public static func between(_ a: FeatureStatistics, _ b: FeatureStatistics) throws -> Value {
        guard a.dimensions == b.dimensions else {
            throw MetricError(
                "a Fréchet distance needs features of one kind: these have \(a.dimensions) and \(b.dimensions) "
                    + "dimensions. Make both statistics with the same extractor.")
        }
        let product = LinearAlgebra.product(
            try factor(a.covariance), transposingFirst: true, try factor(b.covariance))
        return Value(
            meanTerm: squaredDistance(a.mean, b.mean), traces: (a.covariance.trace, b.covariance.trace),
            rootTrace: try LinearAlgebra.nuclearNorm(product))
    }

    /// From the features themselves. With few vectors for the dimension (N₁ + N₂ ≤ 2D) the centred features are
    /// the factors, which is exact for sets that do not fill their space, and cheaper.
    public static func between(
        _ a: Matrix, _ b: Matrix, names: (String, String) = ("first set", "second set")
    ) throws -> Value {
        guard a.columns == b.columns, a.rows >= 2, b.rows >= 2, a.rows + b.rows <= 2 * a.columns else {
            return try between(
                FeatureStatistics(of: a, name: names.0), FeatureStatistics(of: b, name: names.1))
        }
        for (features, name) in [(a, names.0), (b, names.1)] {
            if let (row, column) = features.firstNonFinite {
                throw MetricError(
                    "\(name): feature \(column) of vector \(row) is \(features[row, column]); features must be finite."
                )
            }
        }
        var (first, second) = (a, b)
        let means = (first.centreColumns(), second.centreColumns())
        let divisors = (Double(a.rows - 1), Double(b.rows - 1))
        let product = LinearAlgebra.product(first, second, transposingSecond: true)
        let traces = (sumOfSquares(first) / divisors.0, sumOfSquares(second) / divisors.1)
        return Value(
            meanTerm: squaredDistance(means.0, means.1), traces: traces,
            rootTrace: try LinearAlgebra.nuclearNorm(product) / (divisors.0 * divisors.1).squareRoot())
    }

    /// A with S = AAᵀ: eigenvectors scaled by the roots of their eigenvalues, negative ones (rounding) as zero.
    private static func factor(_ covariance: Matrix) throws -> Matrix {
        var (values, factor) = try LinearAlgebra.symmetricEigen(covariance)
        values = values.map { max($0, 0).squareRoot() }
        for i in 0..<factor.rows { for j in 0..<factor.columns { factor[i, j] *= values[j] } }
        return factor
    }

    private static func sumOfSquares(_ matrix: Matrix) -> Double { matrix.values.reduce(0) { $0 + $1 * $1 } }
}

func squaredDistance(_ a: some Collection<Double>, _ b: some Collection<Double>) -> Double {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
}

/// FID-infinity (arXiv 1911.07023): the distance extrapolated to infinitely many samples.
public struct FrechetExtrapolation: Sendable {
    /// Distances at the sizes used.
    public let distances: [Double]
    /// Value at 1/N = 0, and change per unit of 1/N.
    public let intercept: Double
    public let slope: Double

    /// Least squares of the distance on 1/N.
    /// - Parameters:
    ///   - generated: features of the samples.
    ///   - subsets: indices of the samples of each subset, at least two different sizes.
    ///   - reference: statistics of the whole reference set.
    public init(generated: Matrix, subsets: [[Int]], reference: FeatureStatistics) throws {
        guard Set(subsets.map(\.count)).count >= 2 else {
            throw MetricError("an extrapolation needs subsets of at least two sizes; give more samples.")
        }
        distances = try subsets.map { subset in
            let statistics = try FeatureStatistics(of: generated.selecting(rows: subset), name: "samples")
            return try FrechetDistance.between(statistics, reference).distance
        }
        let inverse = subsets.map { 1 / Double($0.count) }
        let meanX = inverse.reduce(0, +) / Double(inverse.count)
        let meanY = distances.reduce(0, +) / Double(inverse.count)
        let covariance = zip(inverse, distances).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
        slope = covariance / inverse.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
        intercept = meanY - slope * meanX
    }

    /// Fifteen sizes equally spaced from `smallest` (5000, or less for few samples) to the number of samples.
    public static func sizes(sampleCount: Int, steps: Int = 15) -> [Int] {
        let smallest = Double(min(5000, max(sampleCount / 10, 2)))
        return (0..<steps).map { step in
            Int(smallest + (Double(sampleCount) - smallest) * Double(step) / Double(steps - 1))
        }
    }
}
