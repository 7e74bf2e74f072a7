import Tensors

/// Ways to run a network on an image it cannot take as it is (cszn/KAIR, `utils_model.py`, `test_mode`).
public enum TestModes {
    /// Right and bottom replicated to multiples of `multiple`, the result cut back.
    public static func padded(
        _ x: Tensor, toMultiplesOf multiple: Int, _ restore: (Tensor) throws -> Tensor
    ) rethrows -> Tensor {
        let (h, w) = (x.shape[1], x.shape[2])
        let y = try restore(
            x.padded(
                bottom: (multiple - h % multiple) % multiple, right: (multiple - w % multiple) % multiple,
                mode: .replicate))
        return y.cropped(rows: 0..<h, columns: 0..<w)
    }

    /// Four overlapping quarters, each cut again until it has at most `smallest`² pixels.
    ///
    /// Quarters reach beyond the middle to the next multiple of `receptiveField`, which may be no pixel at all: the
    /// published rule does not promise the result of the whole image. `MarginTiles` does.
    /// - Parameter smallest: side of a square that is restored in one piece.
    public static func quartered(
        _ x: Tensor, receptiveField: Int, smallest: Int, _ restore: (Tensor) throws -> Tensor
    ) rethrows -> Tensor {
        let (h, w) = (x.shape[1], x.shape[2])
        if h * w <= smallest * smallest { return try restore(x) }
        let height = min(h, (h / 2 / receptiveField + 1) * receptiveField)
        let width = min(w, (w / 2 / receptiveField + 1) * receptiveField)
        // A quarter that is the whole would be cut for ever.
        if height == h, width == w { return try restore(x) }
        func part(_ top: Int, _ left: Int) throws -> Tensor {
            let quarter = x.cropped(rows: top..<top + height, columns: left..<left + width)
            if h * w <= 4 * smallest * smallest { return try restore(quarter) }
            return try quartered(
                quarter, receptiveField: receptiveField, smallest: smallest, restore)
        }
        let (middleRow, middleColumn) = (h / 2, w / 2)
        func joined(_ top: Int, _ rows: Range<Int>) throws -> Tensor {
            let left = try part(top, 0).cropped(rows: rows, columns: 0..<middleColumn)
            let right = try part(top, w - width).cropped(
                rows: rows, columns: middleColumn - (w - width)..<width)
            return beside(left, right)
        }
        let upper = try joined(0, 0..<middleRow)
        let lower = try joined(h - height, middleRow - (h - height)..<height)
        return beside(upper.transposedPixels, lower.transposedPixels).transposedPixels
    }

    /// Two images of one height as one.
    private static func beside(_ left: Tensor, _ right: Tensor) -> Tensor {
        left.padded(right: right.shape[2]) + right.padded(left: left.shape[2])
    }
}
