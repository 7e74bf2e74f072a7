// Losses and normalisations over the last axis that a chain of simpler operations would round badly.

extension Tensor {
    /// −log softmax(self)[target] of every row, `[…, K]` → `[rows]`.
    ///
    /// - Parameters:
    ///   - targets: one index below K per row.
    ///   - smoothing: share of the target spread evenly over all K classes, as in PyTorch.
    public func crossEntropy(_ targets: [Int], smoothing: Float = 0) -> Tensor {
        let (rows, classes) = (shape.rows, shape.channels)
        precondition(
            targets.count == rows && targets.allSatisfy { (0..<classes).contains($0) },
            "\(targets.count) targets for logits \(shape)")
        let logits = shape
        let probabilities = Tensor.uninitialized(shape)
        let losses = Tensor.uninitialized([rows])
        let (x, p, loss) = (base, probabilities.mutableBase, losses.mutableBase)
        parallelFor(rows, grain: max(1, 4096 / max(1, classes))) { begin, end in
            for row in begin..<end {
                let source = UnsafeBufferPointer(start: x + row * classes, count: classes)
                let (maximum, logSum) = logSumExp(source)
                let target = p + row * classes
                var total = 0.0
                for i in 0..<classes {
                    target[i] = exponential(source[i] - maximum - logSum)
                    total += Double(source[i])
                }
                let own = source[targets[row]] - maximum - logSum
                let mean = Float(total / Double(classes)) - maximum - logSum
                loss[row] = -((1 - smoothing) * own + smoothing * mean)
            }
        }
        return losses.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(logits)
            let (p, g, d) = (probabilities.base, gradient.base, dx.mutableBase)
            parallelFor(rows, grain: max(1, 4096 / max(1, classes))) { begin, end in
                for row in begin..<end {
                    for i in row * classes..<(row + 1) * classes {
                        d[i] = g[row] * (p[i] - smoothing / Float(classes))
                    }
                    d[row * classes + targets[row]] -= g[row] * (1 - smoothing)
                }
            }
            return [dx]
        }
    }

    /// x/max(‖x‖₂, ε) over the last axis (PyTorch's `normalize`).
    public func l2Normalized(epsilon: Float = 1e-12) -> Tensor {
        let (rows, width) = (shape.rows, shape.channels)
        let shape = shape
        let y = Tensor.uninitialized(shape)
        let inverses = Tensor.uninitialized([rows])
        let (x, target, inverse) = (base, y.mutableBase, inverses.mutableBase)
        for row in 0..<rows {
            let square = backend.dot(x + row * width, x + row * width, count: width)
            inverse[row] = 1 / max(Float(square.squareRoot()), epsilon)
            backend.affine(x + row * width, target + row * width, scale: inverse[row], shift: 0, count: width)
        }
        let unit = y
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(shape)
            let (g, d, u) = (gradient.base, dx.mutableBase, unit.base)
            for row in 0..<rows {
                let start = row * width
                let scale = inverses.base[row]
                // Below ε the map is linear; above, the component along x is lost.
                let along = scale * epsilon < 1 ? backend.dot(g + start, u + start, count: width) : 0
                backend.affine(g + start, d + start, scale: scale, shift: 0, count: width)
                backend.accumulate(u + start, into: d + start, scale: -scale * Float(along), count: width)
            }
            return [dx]
        }
    }
}
