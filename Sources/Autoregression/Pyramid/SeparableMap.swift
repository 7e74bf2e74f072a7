import Layers
import Tensors

/// A linear map of images that acts along rows and columns separately: y = A·x·Bᵀ per channel.
///
/// Kept in double precision for tables and checks, and in single precision for networks. Its derivative is the
/// transposed map.
public struct SeparableMap: Sendable {
    /// `[h, H]`, along the height.
    public let rows: Matrix
    /// `[w, W]`, along the width.
    public let columns: Matrix
    let rowTensor: Tensor
    let columnTensor: Tensor

    public init(rows: Matrix, columns: Matrix) {
        self.rows = rows
        self.columns = columns
        rowTensor = Self.tensor(rows)
        columnTensor = Self.tensor(columns)
    }

    /// A change of size.
    public init(_ resampling: Resampling, from: Grid, to: Grid) {
        self.init(
            rows: resampling.matrix(from: from.height, to: to.height),
            columns: resampling.matrix(from: from.width, to: to.width))
    }

    public var source: Grid { Grid(rows.columns, columns.columns) }
    public var target: Grid { Grid(rows.rows, columns.rows) }

    public var transposed: SeparableMap { SeparableMap(rows: rows.transposed, columns: columns.transposed) }

    /// This map after another one.
    public func after(_ first: SeparableMap) -> SeparableMap {
        SeparableMap(
            rows: LinearAlgebra.product(rows, first.rows),
            columns: LinearAlgebra.product(columns, first.columns))
    }

    public func callAsFunction<Field: ImageField>(_ x: Field) -> Field { x.mapped(by: self) }

    private static func tensor(_ matrix: Matrix) -> Tensor {
        Tensor(shape: [matrix.rows, matrix.columns], scalars: matrix.values.map(Float.init))
    }
}
