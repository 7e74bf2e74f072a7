import Tensors

/// One of the eight ways to lay a square onto itself: quarter turns, then perhaps upside down.
public struct Dihedral: Sendable, Hashable {
    /// Counter-clockwise quarter turns, 0…3.
    public var quarterTurns: Int
    /// Whether the rows are reversed afterwards.
    public var isFlipped: Bool

    public init(quarterTurns: Int, isFlipped: Bool) {
        self.quarterTurns = ((quarterTurns % 4) + 4) % 4
        self.isFlipped = isFlipped
    }

    /// Mode 0…7 as cszn/KAIR counts them (`augment_img`).
    public static let kair: [Dihedral] = [
        (0, false), (1, true), (0, true), (3, false), (2, true), (1, false), (2, false), (3, true),
    ].map { Dihedral(quarterTurns: $0.0, isFlipped: $0.1) }

    /// Mode 0…7 as cszn/DnCNN's `dncnn_pytorch` counts them (`data_aug`).
    public static let dncnnPyTorch: [Dihedral] = (0..<8).map {
        Dihedral(quarterTurns: $0 / 2, isFlipped: $0 % 2 == 1)
    }

    public static var all: [Dihedral] { dncnnPyTorch }

    /// Undoes this one. Flipped ones are their own inverses.
    public var inverse: Dihedral {
        isFlipped ? self : Dihedral(quarterTurns: -quarterTurns, isFlipped: false)
    }

    /// `[N, H, W, C]`, or `[N, W, H, C]` for an odd number of quarter turns.
    public func apply(to x: Tensor) -> Tensor {
        let turned: Tensor
        switch quarterTurns {
        case 1: turned = x.transposedPixels.flippedRows
        case 2: turned = x.flippedRows.flippedColumns
        case 3: turned = x.transposedPixels.flippedColumns
        default: turned = x
        }
        return isFlipped ? turned.flippedRows : turned
    }

    /// Mean of what `restore` makes of the image in all eight positions, each laid back (self-ensemble).
    public static func ensemble(_ x: Tensor, _ restore: (Tensor) throws -> Tensor) rethrows -> Tensor {
        var sum: Tensor?
        for mode in kair {
            let y = mode.inverse.apply(to: try restore(mode.apply(to: x)))
            sum = sum.map { $0 + y } ?? y
        }
        return sum.map { $0 / 8 } ?? x
    }
}
