// Attention with a softmax: the whole matrix of scores exists only one block at a time.

extension Tensor {
    /// softmax(q·kᵀ·scale)·v in every head, streamed over blocks of keys (arXiv 2112.05682, 2205.14135): memory grows
    /// with the number of tokens, not with its square. The backward pass computes the scores again.
    ///
    /// - Parameters:
    ///   - k: keys `[N, M, D]`.
    ///   - v: values `[N, M, D]`.
    ///   - scale: nil for d^(−1/2), d = D/heads.
    /// - Returns: `[N, L, D]` for queries `[N, L, D]`.
    public func attending(to k: Tensor, _ v: Tensor, heads: Int, scale: Float? = nil) -> Tensor {
        let (queries, keys) = (headLayout(heads), k.headLayout(heads))
        precondition(
            k.shape == v.shape && k.shape[0] == shape[0] && k.shape[2] == shape[2] && keys.tokens > 0,
            "attention of \(shape) to keys \(k.shape), values \(v.shape)")
        let factor = scale ?? 1 / Float(queries.width).squareRoot()
        let (query, key, value) = (detached, k.detached, v.detached)
        let y = Tensor.uninitialized(shape)
        let logSum = Tensor.uninitialized([queries.samples, heads, queries.tokens])
        backend.attention(
            query.base, key.base, value.base, y.mutableBase, logSum: logSum.mutableBase, queries: queries,
            keys: keys, scale: factor)
        return y.recorded([self, k, v]) { gradient, _ in
            let delta = Tensor.uninitialized([queries.samples, queries.tokens, heads])
            backend.headDot(gradient.base, y.base, delta.mutableBase, layout: queries, perSample: false)
            let (dq, dk, dv) = (
                Tensor.uninitialized(query.shape), Tensor.uninitialized(key.shape),
                Tensor.uninitialized(key.shape)
            )
            backend.attentionBackward(
                query.base, key.base, value.base, logSum: logSum.base, delta: delta.base, gradient.base,
                dq.mutableBase, dk.mutableBase, dv.mutableBase, queries: queries, keys: keys, scale: factor)
            return [dq, dk, dv]
        }
    }

    /// softmax over the last axis.
    public func softmax() -> Tensor {
        let (rows, columns) = (shape.rows, shape.channels)
        let y = Tensor.uninitialized(shape)
        backend.softmax(base, y.mutableBase, rows: rows, columns: columns)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(y.shape)
            backend.softmaxBackward(y.base, gradient.base, dx.mutableBase, rows: rows, columns: columns)
            return [dx]
        }
    }
}
