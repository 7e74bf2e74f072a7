import Tensors

/// How a pooling window makes one number.
enum PoolingRule {
    case max
    /// The mean of the samples inside the image: windows at the border divide by fewer.
    case meanInside
}

extension Tensor {
    /// Pooling of `[N, H, W, C]` with square windows; no derivative, feature networks are only read.
    /// - Parameter usesCeiling: a last, partial window counts too.
    func pooled(
        _ rule: PoolingRule, size: Int, stride: Int, padding: Int = 0, usesCeiling: Bool = false
    ) -> Tensor {
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        func extent(_ length: Int) -> Int {
            let free = length + 2 * padding - size
            return (usesCeiling ? (free + stride - 1) / stride : free / stride) + 1
        }
        let (outHeight, outWidth) = (extent(h), extent(w))
        let result = Tensor.zeros([n, outHeight, outWidth, c])
        withScalars { x in
            result.withMutableScalars { y in
                for place in 0..<n * outHeight * outWidth {
                    let (image, row, column) = (
                        place / (outHeight * outWidth), place / outWidth % outHeight, place % outWidth
                    )
                    let rows =
                        Swift.max(0, row * stride - padding)..<Swift.min(h, row * stride - padding + size)
                    let columns =
                        Swift.max(
                            0, column * stride - padding)..<Swift.min(w, column * stride - padding + size)
                    let target = place * c
                    let share = 1 / Float(rows.count * columns.count)
                    var isFirst = true
                    for i in rows {
                        for j in columns {
                            let source = ((image * h + i) * w + j) * c
                            switch rule {
                            case .max:
                                for k in 0..<c {
                                    y[target + k] =
                                        isFirst ? x[source + k] : Swift.max(y[target + k], x[source + k])
                                }
                            case .meanInside:
                                for k in 0..<c { y[target + k] += share * x[source + k] }
                            }
                            isFirst = false
                        }
                    }
                }
            }
        }
        return result
    }

    /// Zeros around every image of `[N, H, W, C]`.
    func zeroPadded(vertical: Int, horizontal: Int) -> Tensor {
        guard vertical > 0 || horizontal > 0 else { return self }
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        let result = Tensor.zeros([n, h + 2 * vertical, w + 2 * horizontal, c])
        withScalars { x in
            result.withMutableScalars { y in
                guard let source = x.baseAddress, let target = y.baseAddress else { return }
                for row in 0..<n * h {
                    let to =
                        (row / h * (h + 2 * vertical) + vertical + row % h) * (w + 2 * horizontal)
                        + horizontal
                    (target + to * c).update(from: source + row * w * c, count: w * c)
                }
            }
        }
        return result
    }
}
