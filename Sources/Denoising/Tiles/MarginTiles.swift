import Tensors

/// An image cut into tiles that are restored with a margin around them, of which only the inside is kept.
///
/// The result is that of the whole image wherever a pixel of it depends on no more than `margin` pixels around, and
/// memory does not grow with the image. Global means, as NAFNet has them, reach further: they become those of a tile.
public struct MarginTiles: Sendable, Hashable {
    /// Side of what a tile contributes.
    public var tile: Int
    /// Pixels around it that are restored and thrown away.
    public var margin: Int
    /// Tiles begin at multiples of this: a network that halves the image n times gives the same result only when moved
    /// by multiples of 2ⁿ.
    public var multiple: Int

    public init(tile: Int, margin: Int, multiple: Int = 1) {
        precondition(
            tile > 0 && margin >= 0 && multiple > 0,
            "tiles of \(tile), margin \(margin), multiples of \(multiple)")
        (self.tile, self.margin, self.multiple) = (tile, margin, multiple)
    }

    /// One tile: what is restored, and what is kept of it.
    public struct Region: Sendable, Hashable {
        public let seenRows: Range<Int>
        public let seenColumns: Range<Int>
        public let keptRows: Range<Int>
        public let keptColumns: Range<Int>

        /// What is kept, counted from the first pixel seen.
        public var innerRows: Range<Int> { Self.shifted(keptRows, by: seenRows.lowerBound) }
        public var innerColumns: Range<Int> { Self.shifted(keptColumns, by: seenColumns.lowerBound) }
        public var keptPixelCount: Int { keptRows.count * keptColumns.count }

        private static func shifted(_ range: Range<Int>, by start: Int) -> Range<Int> {
            range.lowerBound - start..<range.upperBound - start
        }
    }

    /// The tiles of an image, row by row; what they keep covers it once.
    public func regions(height: Int, width: Int) -> [Region] {
        pieces(of: height).flatMap { rows in
            pieces(of: width).map { columns in
                Region(
                    seenRows: rows.seen, seenColumns: columns.seen, keptRows: rows.kept,
                    keptColumns: columns.kept)
            }
        }
    }

    /// - Parameter x: `[N, H, W, C]`; nothing is recorded for a backward pass.
    public func apply(_ x: Tensor, _ restore: (Tensor) throws -> Tensor) rethrows -> Tensor {
        let result = Tensor.uninitialized(x.shape)
        for region in regions(height: x.shape[1], width: x.shape[2]) {
            let piece = x.detached.cropped(rows: region.seenRows, columns: region.seenColumns)
            let y = try restore(piece).detached.cropped(
                rows: region.innerRows, columns: region.innerColumns)
            Self.write(y, into: result, top: region.keptRows.lowerBound, left: region.keptColumns.lowerBound)
        }
        return result
    }

    /// What each tile along one axis sees and keeps.
    private func pieces(of extent: Int) -> [(seen: Range<Int>, kept: Range<Int>)] {
        func roundedUp(_ value: Int) -> Int { (value + multiple - 1) / multiple * multiple }
        let (step, border) = (roundedUp(tile), roundedUp(margin))
        return stride(from: 0, to: extent, by: step).map { start in
            let end = min(start + step, extent)
            return (max(0, start - border)..<min(extent, end + border), start..<end)
        }
    }

    private static func write(_ piece: Tensor, into image: Tensor, top: Int, left: Int) {
        let (h, w, c) = (image.shape[1], image.shape[2], image.shape[3])
        let (height, line) = (piece.shape[1], piece.shape[2] * c)
        piece.withScalars { source in
            image.withMutableScalars { target in
                for row in 0..<piece.shape[0] * height {
                    let start = ((row / height * h + top + row % height) * w + left) * c
                    for i in 0..<line { target[start + i] = source[row * line + i] }
                }
            }
        }
    }
}
