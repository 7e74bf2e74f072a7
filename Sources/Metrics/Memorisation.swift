import Foundation
import Tensors

/// Has a model copied its training data? Scores on feature sets.
public enum Memorisation {
    /// AuthPct (arXiv 2102.08921): per cent of samples that are farther from their nearest training point than that
    /// point is from its own nearest neighbour. Near 50 for fresh data, 0 for copies: compare with held-out data.
    public static func authenticity(samples: Matrix, training: Matrix) throws -> Double {
        let spacing = try Neighbours.nearestOthers(in: training).map { $0.first?.distance ?? 0 }
        let nearest = try Neighbours.nearest(of: samples, in: training).compactMap(\.first)
        return 100 * Double(nearest.count { spacing[$0.index] < $0.distance }) / Double(max(1, nearest.count))
    }

    /// Mann–Whitney's U of the samples' against the test points' distances to the nearest training point, as a
    /// z-score (arXiv 2004.05675): far below 0 means copying.
    public static func copyingScore(sampleDistances: [Double], testDistances: [Double]) -> Double {
        let sorted = testDistances.sorted()
        let (n, m) = (Double(sampleDistances.count), Double(testDistances.count))
        let wins = sampleDistances.reduce(0.0) { sum, distance in
            let below = Double(sorted.partitioningIndex { $0 >= distance })
            let notAbove = Double(sorted.partitioningIndex { $0 > distance })
            return sum + below + (notAbove - below) / 2
        }
        return (wins - (n * m / 2 - 0.5)) / (n * m * (n + m + 1) / 12).squareRoot()
    }

    /// C_T: the copying score within every cell of the space, averaged with the cells' shares of the test points.
    ///
    /// Cells with too few samples (a share of at most `skippedShare` of the sample count) are left out.
    public static func cellCopyingScore(
        samples: Matrix, test: Matrix, training: Matrix,
        cells: (samples: [Int], test: [Int], training: [Int]),
        skippedShare: Double? = nil
    ) throws -> (scores: [Double], total: Double) {
        let threshold = skippedShare ?? 20 / Double(max(1, test.rows))
        var scores: [Double] = []
        var (sum, weights) = (0.0, 0.0)
        for cell in Set(cells.training).sorted() {
            let members = { (labels: [Int]) in labels.indices.filter { labels[$0] == cell } }
            let (own, tested, trained) = (
                members(cells.samples), members(cells.test), members(cells.training)
            )
            guard Double(own.count) / Double(samples.rows) > threshold, !tested.isEmpty, !trained.isEmpty
            else {
                continue
            }
            let reference = training.selecting(rows: trained)
            func distances(_ features: Matrix) throws -> [Double] {
                try Neighbours.nearest(of: features, in: reference).compactMap { $0.first?.distance }
            }
            let score = try copyingScore(
                sampleDistances: distances(samples.selecting(rows: own)),
                testDistances: distances(test.selecting(rows: tested)))
            scores.append(score)
            sum += score * Double(tested.count)
            weights += Double(tested.count)
        }
        return (scores, weights > 0 ? sum / weights : 0)
    }
}

/// How varied a set is, without a reference.
public enum Diversity {
    /// The Vendi score (arXiv 2210.02410) with the linear kernel of unit vectors: the effective number of different
    /// samples. Order 1 is the exponential of the entropy of the kernel's eigenvalues.
    public static func vendi(_ features: Matrix, order: Double = 1) throws -> Double {
        let rows = features.normalisedRows
        // XXᵀ and XᵀX have the same non-zero eigenvalues; take the smaller.
        let gram =
            rows.rows <= rows.columns
            ? LinearAlgebra.product(rows, rows, transposingSecond: true)
            : LinearAlgebra.product(rows, transposingFirst: true, rows)
        let shares = try LinearAlgebra.symmetricEigen(gram).values
            .map { $0 / Double(features.rows) }.filter { $0 > 1e-15 }
        if order == 1 { return exp(-shares.reduce(0) { $0 + $1 * log($1) }) }
        return exp(log(shares.reduce(0) { $0 + pow($1, order) }) / (1 - order))
    }
}

/// Distances of feature sets by one-dimensional projections.
public enum SlicedDistance {
    /// MIND (torch-fidelity): 3D times the mean squared difference of sorted projections on unit directions.
    /// - Parameter directions: one direction per row.
    /// - Precondition: both sets have equally many rows.
    public static func projected(_ x: Matrix, _ y: Matrix, directions: Matrix) -> Double {
        precondition(
            x.rows == y.rows, "sliced distances need equally many vectors, not \(x.rows) and \(y.rows)")
        let first = LinearAlgebra.product(directions, x, transposingSecond: true)
        let second = LinearAlgebra.product(directions, y, transposingSecond: true)
        let sum = (0..<directions.rows).reduce(0.0) { sum, direction in
            sum + squaredDistance(first.row(direction).sorted(), second.row(direction).sorted())
        }
        return 3 * Double(x.columns) * sum / Double(directions.rows * x.rows)
    }

    /// The closed-form approximation of the sliced Wasserstein distance for high dimensions (arXiv 2106.15427).
    public static func approximate(_ x: Matrix, _ y: Matrix) -> Double {
        let dimensions = Double(x.columns)
        var (a, b) = (x, y)
        let means = (a.centreColumns(), b.centreColumns())
        func spread(_ centred: Matrix) -> Double {
            squaredNorms(centred).reduce(0, +) / Double(centred.rows) / dimensions
        }
        let difference = spread(a).squareRoot() - spread(b).squareRoot()
        return (squaredDistance(means.0, means.1) / dimensions + difference * difference).squareRoot()
    }
}

extension Array {
    /// First index whose element satisfies a predicate that is false, then true.
    fileprivate func partitioningIndex(_ isBeyond: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
