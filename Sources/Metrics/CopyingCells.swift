import Tensors

/// A division of feature space into cells by k-means on principal components, for the copying score.
struct CopyingCells {
    let samples: [Int]
    let test: [Int]
    let training: [Int]

    /// - Parameters:
    ///   - components: principal components of the training features that distances are taken in.
    init(
        samples: Matrix, test: Matrix, training: Matrix, cells: Int = 3, components: Int = 64,
        seed: UInt64 = 0
    ) throws {
        var centred = training
        let means = centred.centreColumns()
        var gram = Matrix(zeros: training.columns, training.columns)
        LinearAlgebra.addGram(of: centred, toUpperTriangleOf: &gram)
        let vectors = try LinearAlgebra.symmetricEigen(gram.transposed).vectors
        let kept = (max(0, training.columns - components)..<training.columns)
        let basis = vectors.transposed.selecting(rows: kept)
        func projected(_ features: Matrix) -> Matrix {
            var shifted = features
            for i in 0..<features.rows { for j in 0..<features.columns { shifted[i, j] -= means[j] } }
            return LinearAlgebra.product(shifted, basis, transposingSecond: true)
        }
        let reduced = projected(training)
        let centres = Self.centres(reduced, cells: cells, seed: seed)
        self.training = Self.labels(reduced, centres)
        self.samples = Self.labels(projected(samples), centres)
        self.test = Self.labels(projected(test), centres)
    }

    private static func labels(_ points: Matrix, _ centres: Matrix) -> [Int] {
        (0..<points.rows).map { i in
            let distances = (0..<centres.rows).map { squaredDistance(points.row(i), centres.row($0)) }
            return distances.indices.min { distances[$0] < distances[$1] } ?? 0
        }
    }

    /// Lloyd's iterations from centres far apart: each next one is the point farthest from those before.
    private static func centres(_ points: Matrix, cells: Int, seed: UInt64) -> Matrix {
        let first = RandomStream(seed: seed).stream(named: "cells").permutation(count: points.rows)[0]
        var chosen = [first]
        var nearest = (0..<points.rows).map { squaredDistance(points.row($0), points.row(first)) }
        while chosen.count < min(cells, points.rows) {
            let next = nearest.indices.max { nearest[$0] < nearest[$1] } ?? 0
            chosen.append(next)
            for i in nearest.indices {
                nearest[i] = min(nearest[i], squaredDistance(points.row(i), points.row(next)))
            }
        }
        var centres = points.selecting(rows: chosen)
        for _ in 0..<20 {
            let labels = labels(points, centres)
            var sums = Matrix(zeros: centres.rows, centres.columns)
            var counts = [Double](repeating: 0, count: centres.rows)
            for (i, label) in labels.enumerated() {
                counts[label] += 1
                for (j, value) in points.row(i).enumerated() { sums[label, j] += value }
            }
            var next = centres
            for c in 0..<centres.rows where counts[c] > 0 {
                for j in 0..<centres.columns { next[c, j] = sums[c, j] / counts[c] }
            }
            if next == centres { break }
            centres = next
        }
        return centres
    }
}
