// Linear maps along the rows and the columns of images.

extension Tensor {
    /// Applies one matrix along the height and another along the width of every channel.
    ///
    /// `[N, H, W, C]` → `[N, h, w, C]`: y[n, j, k, c] = Σ rows[j, y]·columns[k, x]·self[n, y, x, c].
    /// Resampling, small Fourier and cosine transforms and box filters are all of this form, and below about
    /// 64 pixels two matrix products beat a fast transform.
    /// - Parameters:
    ///   - rows: `[h, H]`, a constant: no derivative flows to it.
    ///   - columns: `[w, W]`, likewise.
    public func separablyMapped(rows: Tensor, columns: Tensor) -> Tensor {
        precondition(
            shape.rank == 4 && rows.shape.rank == 2 && columns.shape.rank == 2 && rows.shape[1] == shape[1]
                && columns.shape[1] == shape[2],
            "maps \(rows.shape) and \(columns.shape) do not fit images \(shape)")
        return Self.separable(self, rows, columns, transposed: false).recorded([self]) { gradient, _ in
            [Self.separable(gradient, rows, columns, transposed: true)]
        }
    }

    private static func separable(_ x: Tensor, _ rows: Tensor, _ columns: Tensor, transposed: Bool) -> Tensor
    {
        let (count, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let newHeight = rows.shape[transposed ? 1 : 0]
        let newWidth = columns.shape[transposed ? 1 : 0]
        let tall = Tensor.uninitialized([count, newHeight, width, channels])
        let y = Tensor.uninitialized([count, newHeight, newWidth, channels])
        let plane = width * channels
        for image in 0..<count {
            backend.matrixProduct(
                rows.base, transposeA: transposed, x.base + image * height * plane, transposeB: false,
                tall.mutableBase + image * newHeight * plane, m: newHeight, n: plane, k: height, beta: 0)
        }
        if channels <= 4 {
            // One product over all rows with the matrix columns ⊗ 1, instead of thousands of tiny ones.
            let spread = spreadOverChannels(columns, channels)
            backend.matrixProduct(
                tall.base, transposeA: false, spread.base, transposeB: !transposed, y.mutableBase,
                m: count * newHeight, n: newWidth * channels, k: plane, beta: 0)
            return y
        }
        let (factor, source, target) = (columns.base, tall.base, y.mutableBase)
        performParallel(count * newHeight, grain: max(1, 65536 / max(1, plane * newWidth))) { begin, end in
            for row in begin..<end {
                backend.matrixProduct(
                    factor, transposeA: transposed, source + row * plane, transposeB: false,
                    target + row * newWidth * channels, m: newWidth, n: channels, k: width, beta: 0)
            }
        }
        return withExtendedLifetime(tall) { y }
    }

    /// The Kronecker product of a matrix with the identity of size `channels`.
    private static func spreadOverChannels(_ matrix: Tensor, _ channels: Int) -> Tensor {
        guard channels > 1 else { return matrix }
        let (rows, columns) = (matrix.shape[0], matrix.shape[1])
        let result = Tensor.zeros([rows * channels, columns * channels])
        let (source, target) = (matrix.base, result.mutableBase)
        perform {
            for row in 0..<rows {
                for column in 0..<columns {
                    for channel in 0..<channels {
                        let place = (row * channels + channel) * columns * channels
                        target[place + column * channels + channel] = source[row * columns + column]
                    }
                }
            }
        }
        return result
    }
}
