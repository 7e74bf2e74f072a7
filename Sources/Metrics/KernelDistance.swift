import Foundation
import Tensors

/// A positive kernel on feature vectors.
public enum FeatureKernel: Sendable {
    /// (γ·x·y + c)^d; γ nil means 1/D. KID's is degree 3, offset 1 (Bińkowski et al., arXiv 1801.01401).
    case polynomial(degree: Int = 3, gamma: Double? = nil, offset: Double = 1)
    /// exp(−‖x − y‖²/(2σ²)).
    case gaussian(sigma: Double)

    /// Kernel values of every row of `a` with every row of `b`.
    func values(_ a: Matrix, _ b: Matrix) -> Matrix {
        var products = LinearAlgebra.product(a, b, transposingSecond: true)
        switch self {
        case .polynomial(let degree, let gamma, let offset):
            let scale = gamma ?? 1 / Double(a.columns)
            for i in products.values.indices {
                let base = scale * products.values[i] + offset
                var power = base
                for _ in 1..<max(1, degree) { power *= base }
                products.values[i] = power
            }
        case .gaussian(let sigma):
            let (normsA, normsB) = (squaredNorms(a), squaredNorms(b))
            for i in 0..<a.rows {
                for j in 0..<b.rows {
                    let squared = max(0, normsA[i] + normsB[j] - 2 * products[i, j])
                    products[i, j] = exp(-squared / (2 * sigma * sigma))
                }
            }
        }
        return products
    }
}

/// Which terms of the maximum mean discrepancy's sums count.
public enum DiscrepancyEstimator: String, Sendable, CaseIterable {
    /// All terms, divided by n², m², nm.
    case biased
    /// Without the diagonals of the sets' own sums, divided by n(n−1), m(m−1), nm.
    case unbiased
    /// As `unbiased`, and without the diagonal of the mixed sum too (equal sizes).
    case uStatistic = "u-statistic"
}

/// The squared maximum mean discrepancy between feature sets: KID and its relatives.
public enum KernelDistance {
    /// Rows of a kernel matrix held at once.
    private static let tile = 1024

    /// The value on all given features, computed tile by tile in double precision.
    public static func squaredDiscrepancy(
        _ x: Matrix, _ y: Matrix, kernel: FeatureKernel = .polynomial(),
        estimator: DiscrepancyEstimator = .unbiased
    ) throws -> Double {
        try checkSizes(x, y, atLeast: estimator == .biased ? 1 : 2)
        let own = [x, y].map { set -> Double in
            let (total, diagonal) = sums(set, set, kernel)
            let n = Double(set.rows)
            return estimator == .biased ? total / (n * n) : (total - diagonal) / (n * (n - 1))
        }
        let (total, diagonal) = sums(x, y, kernel)
        let pairs = Double(x.rows) * Double(y.rows)
        let mixed =
            estimator == .uStatistic
            ? (total - diagonal) / (pairs - Double(min(x.rows, y.rows))) : total / pairs
        return own[0] + own[1] - 2 * mixed
    }

    /// KID: the unbiased estimate on pairs of subsets, for the mean and spread over them.
    /// - Returns: the value of each pair.
    public static func subsetValues(
        _ x: Matrix, _ y: Matrix, subsets: [(x: [Int], y: [Int])], kernel: FeatureKernel = .polynomial()
    ) throws -> [Double] {
        try subsets.map {
            try squaredDiscrepancy(x.selecting(rows: $0.x), y.selecting(rows: $0.y), kernel: kernel)
        }
    }

    /// The subsets torch-fidelity draws: per pair first those of the first set, then those of the second.
    public static func subsets(
        firstCount: Int, secondCount: Int, count: Int = 100, size: Int = 1000, seed: UInt32 = 2020
    ) -> [(x: [Int], y: [Int])] {
        var random = NumpyRandom(seed: seed)
        return (0..<count).map { _ in
            let first = random.choice(firstCount, size)
            return (first, random.choice(secondCount, size))
        }
    }

    /// CMMD (arXiv 2401.09603): 1000 times the biased value with a Gaussian kernel of σ = 10 on embeddings scaled
    /// to unit length.
    public static func cmmd(_ x: Matrix, _ y: Matrix) throws -> Double {
        1000
            * (try squaredDiscrepancy(
                x.normalisedRows, y.normalisedRows, kernel: .gaussian(sigma: 10), estimator: .biased))
    }

    private static func sums(
        _ a: Matrix, _ b: Matrix, _ kernel: FeatureKernel
    ) -> (total: Double, diagonal: Double) {
        var (total, diagonal) = (0.0, 0.0)
        for start in stride(from: 0, to: a.rows, by: tile) {
            let rows = start..<min(start + tile, a.rows)
            for other in stride(from: 0, to: b.rows, by: tile) {
                let columns = other..<min(other + tile, b.rows)
                let values = kernel.values(a.selecting(rows: rows), b.selecting(rows: columns))
                total += values.values.reduce(0, +)
                for i in rows.clamped(to: columns) { diagonal += values[i - start, i - other] }
            }
        }
        return (total, diagonal)
    }

    private static func checkSizes(_ x: Matrix, _ y: Matrix, atLeast count: Int) throws {
        guard x.columns == y.columns else {
            throw MetricError(
                "a kernel distance needs one kind of features, not \(x.columns) and \(y.columns) dimensions.")
        }
        for (set, name) in [(x, "first set"), (y, "second set")] {
            guard set.rows >= count else {
                throw MetricError(
                    "\(name): \(set.rows) vector(s), a kernel distance needs at least \(count).")
            }
            if let (row, column) = set.firstNonFinite {
                throw MetricError("\(name): feature \(column) of vector \(row) is \(set[row, column]).")
            }
        }
    }
}

/// ‖row‖² of every row.
func squaredNorms(_ matrix: Matrix) -> [Double] {
    (0..<matrix.rows).map { matrix.row($0).reduce(0) { $0 + $1 * $1 } }
}

extension Matrix {
    /// Rows scaled to length 1; a row of zeros stays.
    var normalisedRows: Matrix {
        let norms = squaredNorms(self).map { $0 > 0 ? $0.squareRoot() : 1 }
        var result = self
        for i in 0..<rows { for j in 0..<columns { result[i, j] /= norms[i] } }
        return result
    }
}
