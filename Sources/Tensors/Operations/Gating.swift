// Products of channels with channels.

extension Tensor {
    /// SimpleGate (NAFNet, arXiv 2204.04676): the first half of the channels times the second,
    /// `[…, 2·C]` → `[…, C]`.
    public func simpleGate() -> Tensor {
        precondition(shape.rank > 0 && shape.channels % 2 == 0, "simpleGate halves the channels of \(shape)")
        let (rows, channels) = (shape.rows, shape.channels / 2)
        let x = detached
        let y = Tensor.uninitialized(Shape(shape.extents.dropLast() + [channels]))
        backend.gate(x.base, y.mutableBase, rows: rows, channels: channels)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(x.shape)
            backend.gateBackward(x.base, gradient.base, dx.mutableBase, rows: rows, channels: channels)
            return [dx]
        }
    }

    /// self + scale·branch with one value per channel, `[C]`, for all samples.
    public func addingScaled(_ branch: Tensor, by scale: Tensor) -> Tensor {
        precondition(
            branch.shape == shape && scale.shape == [shape.channels],
            "scaled residual of \(shape): branch \(branch.shape), scale \(scale.shape)")
        let layout = ChannelLayout(shape).flattened
        let (z, v) = (branch.detached, scale.detached)
        let y = Tensor.uninitialized(shape)
        backend.channelScaleAdd(base, v.base, z.base, y.mutableBase, layout: layout)
        return y.recorded([self, branch, scale]) { gradient, wanted in
            var dScale: Tensor?
            if wanted[2] {
                let sum = Tensor.uninitialized(v.shape)
                backend.sumRows(gradient.base, z.base, sum.mutableBase, layout: layout)
                dScale = sum
            }
            return [gradient, wanted[1] ? gradient * v : nil, dScale]
        }
    }

    /// Matrix product `[n, k]` · `[k, m]` → `[n, m]`.
    public func multiplied(by matrix: Tensor) -> Tensor {
        precondition(
            shape.rank == 2 && matrix.shape.rank == 2 && shape[1] == matrix.shape[0],
            "matrix product of \(shape) and \(matrix.shape)")
        let (n, k, m) = (shape[0], shape[1], matrix.shape[1])
        let (a, b) = (detached, matrix.detached)
        let y = Tensor.uninitialized([n, m])
        backend.matrixProduct(
            a.base, transposeA: false, b.base, transposeB: false, y.mutableBase, m: n, n: m, k: k, beta: 0)
        return y.recorded([self, matrix]) { gradient, wanted in
            let dA = Tensor.uninitialized(wanted[0] ? a.shape : [0])
            let dB = Tensor.uninitialized(wanted[1] ? b.shape : [0])
            if wanted[0] {
                backend.matrixProduct(
                    gradient.base, transposeA: false, b.base, transposeB: true, dA.mutableBase, m: n, n: k,
                    k: m, beta: 0)
            }
            if wanted[1] {
                backend.matrixProduct(
                    a.base, transposeA: true, gradient.base, transposeB: false, dB.mutableBase, m: k, n: m,
                    k: n, beta: 0)
            }
            return [wanted[0] ? dA : nil, wanted[1] ? dB : nil]
        }
    }
}
