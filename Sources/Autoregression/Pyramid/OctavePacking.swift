import Layers
import Tensors

/// A detail map of twice the size as three maps of the size below, without redundancy (`specs/nfig.md`,
/// section 12).
///
/// Of the cosine coefficients of a detail map only those outside the low quarter can differ from zero. The
/// three other quarters, each transformed back on the coarser grid, are the packed band: `[N, 2h, 2w, C]` ↔
/// `[N, h, w, 3C]`, channel block·C + c, blocks in the order low rows with high columns, high rows with low
/// columns, both high. Lengths are kept.
public struct OctavePacking: Sendable {
    public let coarse: Grid
    public let fine: Grid
    private let blocks: [SeparableMap]

    /// - Throws: `PyramidMismatch` unless the fine grid is twice the coarse one.
    public init(coarse: Grid, fine: Grid) throws {
        guard fine.height == 2 * coarse.height, fine.width == 2 * coarse.width else {
            throw PyramidMismatch(
                "a band is packed on the grid below only where grids double: \(fine) is not twice \(coarse). "
                    + "Choose grids such as 4, 8, 16, 32.")
        }
        self.coarse = coarse
        self.fine = fine
        let rows = Self.halves(coarse.height)
        let columns = Self.halves(coarse.width)
        blocks = [(0, 1), (1, 0), (1, 1)].map { SeparableMap(rows: rows[$0.0], columns: columns[$0.1]) }
    }

    /// Detail `[N, 2h, 2w, C]` → `[N, h, w, 3C]`.
    public func pack<Field: ImageField>(_ detail: Field) -> Field {
        .concatenateChannels(blocks.map { $0(detail) })
    }

    /// `[N, h, w, 3C]` → detail `[N, 2h, 2w, C]`.
    public func unpack<Field: ImageField>(_ packed: Field) -> Field {
        let channels = packed.shape.channels / 3
        let parts = blocks.enumerated().map { index, block in
            block.transposed(packed.channels(index * channels..<(index + 1) * channels))
        }
        return parts[0] + parts[1] + parts[2]
    }

    /// The maps `[n, 2n]` that keep the low, or the high, half of the cosine coefficients.
    private static func halves(_ size: Int) -> [Matrix] {
        let fine = Resampling.cosineTransform(2 * size)
        let coarse = Resampling.cosineTransform(size)
        return [0..<size, size..<2 * size].map {
            LinearAlgebra.product(coarse, transposingFirst: true, fine.selecting(rows: $0))
        }
    }
}
