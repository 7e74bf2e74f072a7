/// A dense matrix of `Double` in row-major order: what statistics and distances outside a network compute with.
public struct Matrix: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    /// Entry (i, j) is `values[i * columns + j]`.
    public var values: [Double]

    public init(rows: Int, columns: Int, values: [Double]) {
        precondition(
            values.count == rows * columns, "\(values.count) values do not fill a \(rows)×\(columns) matrix")
        (self.rows, self.columns, self.values) = (rows, columns, values)
    }

    public init(zeros rows: Int, _ columns: Int) {
        self.init(rows: rows, columns: columns, values: [Double](repeating: 0, count: rows * columns))
    }

    /// The rows of a single-precision matrix, widened.
    public init(rows: Int, columns: Int, floats: [Float]) {
        self.init(rows: rows, columns: columns, values: floats.map(Double.init))
    }

    public subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    /// One row, copied.
    public func row(_ index: Int) -> ArraySlice<Double> { values[index * columns..<(index + 1) * columns] }

    /// The rows with these indices, in this order; an index may repeat.
    public func selecting(rows indices: some Collection<Int>) -> Matrix {
        var selected: [Double] = []
        selected.reserveCapacity(indices.count * columns)
        for index in indices { selected += row(index) }
        return Matrix(rows: indices.count, columns: columns, values: selected)
    }

    public var transposed: Matrix {
        var result = Matrix(zeros: columns, rows)
        for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
        return result
    }

    /// Sum of the diagonal.
    public var trace: Double { (0..<min(rows, columns)).reduce(0) { $0 + self[$1, $1] } }

    /// (M + Mᵀ)/2 of a square matrix.
    public var symmetrised: Matrix {
        precondition(
            rows == columns, "only a square matrix can be symmetrised, this one is \(rows)×\(columns)")
        var result = self
        for i in 0..<rows { for j in 0..<i { result[i, j] = (self[i, j] + self[j, i]) / 2 } }
        for i in 0..<rows { for j in 0..<i { result[j, i] = result[i, j] } }
        return result
    }

    /// Position of the first entry that is not finite.
    public var firstNonFinite: (row: Int, column: Int)? {
        values.firstIndex { !$0.isFinite }.map { ($0 / columns, $0 % columns) }
    }
}
