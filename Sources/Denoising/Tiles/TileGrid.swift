import Foundation
import Tensors

/// An image cut into overlapping tiles of one size (megvii-research/NAFNet, `image_restoration_model.py`, `grids`).
///
/// Rows and columns are spread evenly; the last ones end at the border. What overlaps is averaged with equal weights.
public struct TileGrid: Sendable, Hashable {
    /// Where a tile begins.
    public struct Origin: Sendable, Hashable {
        public let y: Int
        public let x: Int
    }

    /// Row by row.
    public let origins: [Origin]
    /// Tiles are cut to the image where it is smaller.
    public let tileHeight: Int
    public let tileWidth: Int

    public init(height: Int, width: Int, tileHeight: Int, tileWidth: Int) {
        precondition(
            height > 0 && width > 0 && tileHeight > 0 && tileWidth > 0,
            "tiles of \(tileHeight)×\(tileWidth) in an image of \(height)×\(width)")
        self.tileHeight = min(tileHeight, height)
        self.tileWidth = min(tileWidth, width)
        let rows = Self.starts(height, tile: tileHeight)
        let columns = Self.starts(width, tile: tileWidth)
        origins = rows.flatMap { y in columns.map { Origin(y: y, x: $0) } }
    }

    private static func starts(_ extent: Int, tile: Int) -> [Int] {
        let count = (extent - 1) / tile + 1
        guard count > 1 else { return [0] }
        let step = Int((Double(extent - tile) / Double(count - 1) - 1e-8).rounded(.up))
        return (0..<count).map { min($0 * step, extent - tile) }
    }

    /// The image made of what `restore` makes of each tile.
    /// - Parameter x: `[N, H, W, C]`. Nothing is recorded for a backward pass.
    public func apply(_ x: Tensor, _ restore: (Tensor) throws -> Tensor) rethrows -> Tensor {
        let sum = Tensor.zeros(x.shape)
        var counts = [Float](repeating: 0, count: x.shape[1] * x.shape[2])
        let (n, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        for origin in origins {
            let (top, left) = (origin.y, origin.x)
            let tile = try restore(
                x.detached.cropped(rows: top..<top + tileHeight, columns: left..<left + tileWidth))
            tile.withScalars { tile in
                sum.withMutableScalars { sum in
                    for line in 0..<n * tileHeight {
                        let (sample, row) = (line / tileHeight, line % tileHeight)
                        let target = ((sample * h + top + row) * w + left) * c
                        for i in 0..<tileWidth * c { sum[target + i] += tile[line * tileWidth * c + i] }
                    }
                }
            }
            for row in top..<top + tileHeight {
                for column in left..<left + tileWidth { counts[row * w + column] += 1 }
            }
        }
        sum.withMutableScalars { sum in
            for index in sum.indices { sum[index] /= counts[index / c % (h * w)] }
        }
        return sum
    }
}
