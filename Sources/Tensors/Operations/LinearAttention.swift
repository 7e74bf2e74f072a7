// Attention without a softmax: time and memory grow with the number of tokens.

extension Tensor {
    /// The smallest size that `dividingAttention` lets its normaliser have; the sign is kept. With non-negative keys and
    /// queries the normaliser is at least `epsilon` and never meets it.
    public static let smallestNormalizer: Float = 5e-7

    /// out_i = q_i·S / (N·(q_i·k̄ + ε)) in every head, S = Σ_j k_jᵀ·v_j, k̄ the mean key (LINA, arXiv 2601.22630, the
    /// "division" form). Queries and keys come with the kernel function applied.
    ///
    /// Where keys or queries of either sign make the normaliser vanish, `smallestNormalizer` stands in for it and no
    /// derivative flows through it.
    /// - Parameters:
    ///   - k: keys `[N, L, D]`, shaped like the queries and values.
    ///   - normalizing: keys of the mean, when they differ from those of the sum.
    public func dividingAttention(
        to k: Tensor, _ v: Tensor, normalizing: Tensor? = nil, heads: Int, epsilon: Float = 1e-6
    ) -> Tensor {
        let core = LinearAttentionCore(self, k, v, heads: heads)
        let layout = core.layout
        precondition(
            normalizing.map { $0.shape == k.shape } ?? true, "normalising keys are not shaped like the keys")
        let count = Float(layout.tokens)
        let meanKey = (normalizing ?? k).detached.spatialMean()
        let state = core.state()
        let y = core.queriesTimes(state)
        let normalizer = core.dot(core.q, meanKey, perSample: true)
        let factor = normalizer.inverseNormalizer(epsilon: epsilon, count: count)
        core.scale(y, factor, into: y)
        return y.recorded([self, k, v] + (normalizing.map { [$0] } ?? [])) { gradient, wanted in
            let pull = core.dot(gradient, y, perSample: false) * factor * -count
            normalizer.clearReplaced(in: pull, epsilon: epsilon)
            let scaled = Tensor.uninitialized(y.shape)
            core.scale(gradient, factor, into: scaled)
            let dState = core.transposedProduct(core.q, scaled)
            let dq = core.product(scaled, state, transposed: true)
            backend.headAddVector(pull.base, meanKey.base, into: dq.mutableBase, layout: layout)
            let dk = core.product(core.v, dState, transposed: true)
            let dv = core.product(core.k, dState, transposed: false)
            let mean = core.sum(pull, core.q) * (1 / count)
            guard wanted.count > 3 else { return [dq, dk + mean, dv] }
            return [dq, dk, dv, Tensor.zeros(dk.shape) + mean]
        }
    }

    /// 1/(count·(d + ε)), with `smallestNormalizer` in the place of what is smaller.
    private func inverseNormalizer(epsilon: Float, count: Float) -> Tensor {
        let factor = Tensor.uninitialized(shape)
        let (source, target, length) = (base, factor.mutableBase, elementCount)
        perform {
            for i in 0..<length {
                var value = source[i] + epsilon
                if abs(value) < Self.smallestNormalizer {
                    value = value < 0 ? -Self.smallestNormalizer : Self.smallestNormalizer
                }
                target[i] = 1 / (count * value)
            }
        }
        return factor
    }

    /// Zeros the gradient where `smallestNormalizer` stood in, a constant, through which nothing flows back.
    private func clearReplaced(in gradient: Tensor, epsilon: Float) {
        withScalars { d in
            gradient.withMutableScalars { g in
                for i in d.indices where abs(d[i] + epsilon) < Self.smallestNormalizer { g[i] = 0 }
            }
        }
    }

    /// out_i = (s/N)·q_i·S + (1 − s·q_i·k̄)·v̄ in every head, s = d^(−1/2): the weights of the values sum to one and may
    /// be negative (InLine attention, arXiv 2412.06590; LINA's "subtraction" form). Nothing is divided.
    public func subtractingAttention(to k: Tensor, _ v: Tensor, heads: Int) -> Tensor {
        let core = LinearAttentionCore(self, k, v, heads: heads)
        let layout = core.layout
        let scale = 1 / Float(layout.width).squareRoot()
        let count = Float(layout.tokens)
        let (meanKey, meanValue) = (core.k.spatialMean(), core.v.spatialMean())
        let state = core.state() * (scale / count)
        let y = core.queriesTimes(state)
        let rest = core.dot(core.q, meanKey, perSample: true).affine(scale: -scale, shift: 1)
        backend.headAddVector(rest.base, meanValue.base, into: y.mutableBase, layout: layout)
        return y.recorded([self, k, v]) { gradient, _ in
            let pull = core.dot(gradient, meanValue, perSample: true) * -scale
            let dState = core.transposedProduct(core.q, gradient) * (scale / count)
            let dq = core.product(gradient, state, transposed: true)
            backend.headAddVector(pull.base, meanKey.base, into: dq.mutableBase, layout: layout)
            let dk = core.product(core.v, dState, transposed: true) + core.sum(pull, core.q) * (1 / count)
            let dv = core.product(core.k, dState, transposed: false) + core.sum(rest, gradient) * (1 / count)
            return [dq, dk, dv]
        }
    }
}

/// The products that both forms of linear attention are made of.
private struct LinearAttentionCore {
    let q: Tensor
    let k: Tensor
    let v: Tensor
    let layout: HeadLayout

    init(_ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int) {
        layout = q.headLayout(heads)
        precondition(
            q.shape == k.shape && k.shape == v.shape && layout.tokens > 0,
            "linear attention of \(q.shape) to keys \(k.shape), values \(v.shape)")
        (self.q, self.k, self.v) = (q.detached, k.detached, v.detached)
    }

    private var statePlacement: BatchedProduct.Placement {
        let d = layout.width
        return .init(row: d, outer: layout.heads * d * d, inner: d * d)
    }

    /// S = Σ_j k_jᵀ·v_j, `[N, heads, d, d]`.
    func state() -> Tensor { transposedProduct(k, v) }

    /// aᵀ·b in every head.
    func transposedProduct(_ a: Tensor, _ b: Tensor) -> Tensor {
        let d = layout.width
        let result = Tensor.uninitialized([layout.samples, layout.heads, d, d])
        backend.matrixProducts(
            BatchedProduct(
                outer: layout.samples, inner: layout.heads, m: d, n: d, k: layout.tokens, transposeA: true,
                a: layout.placement, b: layout.placement, c: statePlacement),
            a.base, b.base, result.mutableBase)
        return result
    }

    func queriesTimes(_ state: Tensor) -> Tensor { product(q, state, transposed: false) }

    /// x·S, or x·Sᵀ, in every head.
    func product(_ x: Tensor, _ state: Tensor, transposed: Bool) -> Tensor {
        let d = layout.width
        let result = Tensor.uninitialized(x.shape)
        backend.matrixProducts(
            BatchedProduct(
                outer: layout.samples, inner: layout.heads, m: layout.tokens, n: d, k: d,
                transposeB: transposed,
                a: layout.placement, b: statePlacement, c: layout.placement),
            x.base, state.base, result.mutableBase)
        return result
    }

    func dot(_ a: Tensor, _ b: Tensor, perSample: Bool) -> Tensor {
        let result = Tensor.uninitialized([layout.samples, layout.tokens, layout.heads])
        backend.headDot(a.base, b.base, result.mutableBase, layout: layout, perSample: perSample)
        return result
    }

    func scale(_ x: Tensor, _ factor: Tensor, into y: Tensor) {
        backend.headScale(x.base, factor.base, y.mutableBase, layout: layout, shared: false)
    }

    func sum(_ s: Tensor, _ x: Tensor) -> Tensor {
        let result = Tensor.uninitialized([layout.samples, layout.channels])
        backend.headSum(s.base, x.base, result.mutableBase, layout: layout)
        return result
    }
}
