import Foundation
import Testing

@testable import Tensors

@Suite struct LinearAlgebraTests {
    private func random(_ rows: Int, _ columns: Int, stream: UInt64 = 0) -> Matrix {
        Matrix(
            rows: rows, columns: columns,
            floats: RandomStream(seed: 5, stream: stream).normals([rows * columns]).scalars)
    }

    private func worstDifference(_ a: Matrix, _ b: Matrix) -> Double {
        zip(a.values, b.values).map { abs($0 - $1) }.max() ?? 0
    }

    @Test(arguments: [(1, 1, 1), (3, 5, 2), (7, 1, 9), (4, 6, 4)])
    func `products agree with the definition, transposed or not`(_ m: Int, _ k: Int, _ n: Int) {
        let a = random(m, k), b = random(k, n, stream: 1)
        var expected = Matrix(zeros: m, n)
        for i in 0..<m { for j in 0..<n { for l in 0..<k { expected[i, j] += a[i, l] * b[l, j] } } }
        let ways = [
            LinearAlgebra.product(a, b),
            LinearAlgebra.product(a.transposed, transposingFirst: true, b),
            LinearAlgebra.product(a, b.transposed, transposingSecond: true),
            LinearAlgebra.product(
                a.transposed, transposingFirst: true, b.transposed, transposingSecond: true),
        ]
        for way in ways { #expect(worstDifference(way, expected) < 1e-13) }
    }

    @Test func `a Gram matrix is added to the upper triangle`() {
        let rows = random(9, 4)
        var sum = Matrix(zeros: 4, 4)
        LinearAlgebra.addGram(of: rows, toUpperTriangleOf: &sum)
        let full = LinearAlgebra.product(rows, transposingFirst: true, rows)
        for i in 0..<4 { for j in 0..<4 { #expect(abs(sum[i, j] - (i <= j ? full[i, j] : 0)) < 1e-13) } }
    }

    @Test(arguments: [1, 2, 7, 40]) func `eigenvectors diagonalise a symmetric matrix`(_ size: Int) throws {
        let symmetric = random(size, size).symmetrised
        let (values, vectors) = try LinearAlgebra.symmetricEigen(symmetric)
        #expect(values == values.sorted())
        var scaled = vectors
        for i in 0..<size { for j in 0..<size { scaled[i, j] *= values[j] } }
        let rebuilt = LinearAlgebra.product(scaled, vectors, transposingSecond: true)
        #expect(worstDifference(rebuilt, symmetric) < 1e-12)
    }

    @Test(arguments: [(1, 1), (3, 8), (8, 3), (5, 5)])
    func `squared singular values are the Gram matrix's eigenvalues`(_ rows: Int, _ columns: Int) throws {
        let matrix = random(rows, columns)
        let singular = try LinearAlgebra.singularValues(matrix)
        let gram = LinearAlgebra.product(matrix, transposingFirst: true, matrix)
        let eigen = try LinearAlgebra.symmetricEigen(gram).values.reversed().prefix(singular.count)
        for (s, l) in zip(singular, eigen) { #expect(abs(s * s - l) < 1e-11) }
        #expect(try abs(LinearAlgebra.nuclearNorm(matrix) - singular.reduce(0, +)) < 1e-12)
    }

    @Test func `a matrix with a non-finite entry is refused by name`() {
        var matrix = random(3, 3)
        matrix[1, 2] = .nan
        #expect(throws: LinearAlgebraError.self) { try LinearAlgebra.symmetricEigen(matrix) }
        let error = #expect(throws: LinearAlgebraError.self) { try LinearAlgebra.singularValues(matrix) }
        #expect(error?.description.contains("entry (1, 2) of the 3×3 matrix is nan") == true)
    }
}
