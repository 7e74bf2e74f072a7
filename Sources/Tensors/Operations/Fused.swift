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

    /// Compact channel attention on a GELU (DiCo, arXiv 2505.11196, section 3): with u = GELU(self),
    /// u · σ(W·mean(u) + b), the mean taken over all pixels of a sample.
    ///
    /// Only the input is kept for the backward pass; u is computed again there, which costs less than the
    /// memory traffic of keeping it.
    /// - Parameters:
    ///   - weight: `[C, C]`.
    ///   - bias: `[C]`.
    public func geluChannelAttention(weight: Tensor, bias: Tensor) -> Tensor {
        let layout = ChannelLayout(shape)
        let x = detached
        let u = Tensor.uninitialized(shape)
        let sum = Tensor.uninitialized([layout.samples, layout.channels])
        backend.geluSumRows(x.base, u.mutableBase, sum.mutableBase, layout: layout)
        let scale = 1 / Float(max(1, layout.rows))
        var (mean, w, b) = (sum * scale, weight.detached, bias.detached)
        if isTracked || weight.isTracked || bias.isTracked {
            (mean, w, b) = (mean.variable, w.variable, b.variable)
        }
        let gate = sigmoid(mean.linear(w, bias: b))
        let a = gate.detached
        backend.channelBinary(.multiply, u.base, a.base, u.mutableBase, layout: layout, perSample: true)
        return u.recorded([self, weight, bias]) { [mean, w, b] gradient, wanted in
            let dGate = Tensor.uninitialized(a.shape)
            backend.geluDotRows(x.base, gradient.base, dGate.mutableBase, layout: layout)
            let inner = gate.gradients(cotangent: dGate)
            guard wanted[0] else { return [nil, inner[w], inner[b]] }
            let dMean = (inner[mean] ?? Tensor.zeros(a.shape)) * scale
            let dx = Tensor.uninitialized(x.shape)
            backend.geluScaleBackward(
                x.base, gradient.base, scale: a.base, shift: dMean.base, dx.mutableBase, layout: layout)
            return [dx, inner[w], inner[b]]
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
