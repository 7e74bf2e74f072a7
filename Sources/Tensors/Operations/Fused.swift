// Operations that the networks' blocks would otherwise make of several passes over memory.

extension Tensor {
    /// self + gate·branch with one gate value per sample and channel: `[N, …, C]`, gate `[N, C]`.
    public func addingGated(_ branch: Tensor, gate: Tensor) -> Tensor {
        let layout = ChannelLayout(shape)
        precondition(
            branch.shape == shape && gate.shape == [layout.samples, layout.channels],
            "gated residual of \(shape): branch \(branch.shape), gate \(gate.shape)")
        let (z, g) = (branch.detached, gate.detached)
        let y = Tensor.uninitialized(shape)
        backend.channelScaleAdd(base, g.base, z.base, y.mutableBase, layout: layout)
        return y.recorded([self, branch, gate]) { gradient, wanted in
            [gradient, wanted[1] ? gradient * g : nil, wanted[2] ? gradient.rowSum(with: z) : nil]
        }
    }

    /// Σ over the rows of each sample of self·other: `[N, …, C]` → `[N, C]`.
    func rowSum(with other: Tensor) -> Tensor {
        let layout = ChannelLayout(shape)
        let sum = Tensor.uninitialized([layout.samples, layout.channels])
        backend.sumRows(base, other.base, sum.mutableBase, layout: layout)
        return sum
    }
}
