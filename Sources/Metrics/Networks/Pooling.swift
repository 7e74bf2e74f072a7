import Tensors

/// How a pooling window makes one number.
enum PoolingRule {
    case max
    /// The mean of the samples inside the image: windows at the border divide by fewer.
    case meanInside

    /// One window of an image, all channels: the inner loops run over neighbouring numbers, so that they become vector
    /// instructions.
    fileprivate func apply(
        _ image: UnsafePointer<Float>, width: Int, _ rows: Range<Int>, _ columns: Range<Int>, _ channels: Int,
        _ target: UnsafeMutablePointer<Float>
    ) {
        var isFirst = true
        for i in rows {
            for j in columns {
                let source = image + (i * width + j) * channels
                if isFirst {
                    target.update(from: source, count: channels)
                    isFirst = false
                } else if self == .max {
                    for k in 0..<channels { target[k] = source[k] > target[k] ? source[k] : target[k] }
                } else {
                    for k in 0..<channels { target[k] += source[k] }
                }
            }
        }
        guard self == .meanInside else { return }
        let share = 1 / Float(rows.count * columns.count)
        for k in 0..<channels { target[k] *= share }
    }
}

extension Tensor {
    /// Pooling of `[N, H, W, C]` with square windows; no derivative, Inception is only read.
    func pooled(_ rule: PoolingRule, size: Int, stride: Int, padding: Int = 0) -> Tensor {
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        func extent(_ length: Int) -> Int { (length + 2 * padding - size) / stride + 1 }
        let (outHeight, outWidth) = (extent(h), extent(w))
        let result = Tensor.uninitialized([n, outHeight, outWidth, c])
        withScalars { x in
            result.withMutableScalars { y in
                guard let source = x.baseAddress, var target = y.baseAddress else { return }
                for image in 0..<n {
                    for row in 0..<outHeight {
                        let top = row * stride - padding
                        let rows = Swift.max(0, top)..<Swift.min(h, top + size)
                        for column in 0..<outWidth {
                            let left = column * stride - padding
                            let columns = Swift.max(0, left)..<Swift.min(w, left + size)
                            rule.apply(source + image * h * w * c, width: w, rows, columns, c, target)
                            target += c
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
