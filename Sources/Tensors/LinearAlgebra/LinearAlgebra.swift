import CBLAS

/// A decomposition that the library could not finish.
public struct LinearAlgebraError: Error, CustomStringConvertible, Equatable {
    public let description: String
}

/// Dense linear algebra in double precision: the only file that calls BLAS and LAPACK (OpenBLAS).
///
/// One thread, because OpenBLAS's own pool would compete with the one that the networks use, and because results
/// must not depend on the number of processors.
public enum LinearAlgebra {
    private static let singleThreaded: Void = openblas_set_num_threads(1)

    /// a · b, with either factor transposed on request.
    public static func product(
        _ a: Matrix, transposingFirst: Bool = false, _ b: Matrix, transposingSecond: Bool = false
    ) -> Matrix {
        _ = singleThreaded
        let (m, k) = transposingFirst ? (a.columns, a.rows) : (a.rows, a.columns)
        let (k2, n) = transposingSecond ? (b.columns, b.rows) : (b.rows, b.columns)
        precondition(k == k2, "a product needs matching sizes, not \(m)×\(k) by \(k2)×\(n)")
        var result = Matrix(zeros: m, n)
        guard m > 0, n > 0, k > 0 else { return result }
        cblas_dgemm(
            CblasRowMajor, transposingFirst ? CblasTrans : CblasNoTrans,
            transposingSecond ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), 1, a.values,
            Int32(a.columns), b.values, Int32(b.columns), 0, &result.values, Int32(n))
        return result
    }

    /// Adds rowsᵀ · rows to the upper triangle of `sum`, a square matrix with as many columns as `rows` has.
    public static func addGram(of rows: Matrix, toUpperTriangleOf sum: inout Matrix) {
        _ = singleThreaded
        precondition(
            sum.rows == rows.columns && sum.columns == rows.columns,
            "the Gram matrix of \(rows.columns) columns does not fit \(sum.rows)×\(sum.columns)")
        guard rows.rows > 0, rows.columns > 0 else { return }
        let size = Int32(rows.columns)
        cblas_dsyrk(
            CblasRowMajor, CblasUpper, CblasTrans, size, Int32(rows.rows), 1, rows.values, size, 1,
            &sum.values,
            size)
    }

    /// Eigenvalues in ascending order and eigenvectors of a symmetric matrix; only its lower triangle is read.
    /// - Returns: `vectors` holds eigenvector k as its column k.
    /// - Throws: `LinearAlgebraError` for entries that are not finite or when the iteration does not converge.
    public static func symmetricEigen(_ matrix: Matrix) throws -> (values: [Double], vectors: Matrix) {
        _ = singleThreaded
        precondition(matrix.rows == matrix.columns, "eigenvalues need a square matrix")
        try requireFinite(matrix, for: "eigenvalues")
        let size = matrix.rows
        guard size > 0 else { return ([], matrix) }
        var vectors = matrix
        var values = [Double](repeating: 0, count: size)
        let status = LAPACKE_dsyevd(
            LAPACK_ROW_MAJOR, CChar(bitPattern: UInt8(ascii: "V")), CChar(bitPattern: UInt8(ascii: "L")),
            Int32(size), &vectors.values, Int32(size), &values)
        try requireSuccess(status, routine: "dsyevd", matrix)
        return (values, vectors)
    }

    /// Singular values in descending order.
    /// - Throws: `LinearAlgebraError` for entries that are not finite or when the iteration does not converge.
    public static func singularValues(_ matrix: Matrix) throws -> [Double] {
        _ = singleThreaded
        try requireFinite(matrix, for: "singular values")
        guard matrix.rows > 0, matrix.columns > 0 else { return [] }
        var copy = matrix.values
        var values = [Double](repeating: 0, count: min(matrix.rows, matrix.columns))
        // Column-major reading gives the transpose, which has the same singular values and needs no copy.
        let status = LAPACKE_dgesdd(
            LAPACK_COL_MAJOR, CChar(bitPattern: UInt8(ascii: "N")), Int32(matrix.columns), Int32(matrix.rows),
            &copy,
            Int32(matrix.columns), &values, nil, 1, nil, 1)
        try requireSuccess(status, routine: "dgesdd", matrix)
        return values
    }

    /// Sum of the singular values.
    public static func nuclearNorm(_ matrix: Matrix) throws -> Double {
        try singularValues(matrix).reversed().reduce(0, +)
    }

    private static func requireFinite(_ matrix: Matrix, for purpose: String) throws {
        guard let place = matrix.firstNonFinite else { return }
        throw LinearAlgebraError(
            description:
                "no \(purpose): entry (\(place.row), \(place.column)) of the \(matrix.rows)×\(matrix.columns)"
                + " matrix is \(matrix[place.row, place.column]). Look for the source of the non-finite number."
        )
    }

    private static func requireSuccess(_ status: Int32, routine: String, _ matrix: Matrix) throws {
        guard status != 0 else { return }
        let size = "\(matrix.rows)×\(matrix.columns)"
        if status == LAPACK_WORK_MEMORY_ERROR || status == LAPACK_TRANSPOSE_MEMORY_ERROR {
            throw LinearAlgebraError(description: "LAPACK's \(routine) found no memory for a \(size) matrix.")
        }
        throw LinearAlgebraError(
            description: status < 0
                ? "LAPACK's \(routine) refused its argument \(-status) for a \(size) matrix."
                : "LAPACK's \(routine) did not converge for a \(size) matrix (status \(status)); "
                    + "rescaling the features usually helps.")
    }
}
