import Foundation

/// eˣ of one number, for loops outside the vectorised kernels.
func exponential(_ x: Float) -> Float { Foundation.exp(x) }

/// The maximum of some numbers, and log Σ exp(x − maximum).
func logSumExp(_ x: UnsafeBufferPointer<Float>) -> (maximum: Float, logSum: Float) {
    var maximum = -Float.infinity
    for value in x { maximum = max(maximum, value) }
    var sum = 0.0
    for value in x { sum += Double(exponential(value - maximum)) }
    return (maximum, Float(Foundation.log(sum)))
}

extension Tensor {
    /// Softmax attention with several heads in which a query may see only the first keys.
    ///
    /// softmax(scale·Q·Kᵀ)·V per sample and head; heads are runs of C/heads channels. Visible prefixes describe
    /// every mask of a sequence that is drawn part by part: causal, and causal by blocks. The attention matrix is
    /// formed one head at a time and again in the backward pass, so that it is never stored whole.
    /// - Parameters:
    ///   - key, value: `[N, L', C]` for queries `[N, L, C]`.
    ///   - visibleKeys: how many keys each of the L queries sees, at least 1; nil for all L'.
    public func prefixAttention(
        key: Tensor, value: Tensor, heads: Int, scale: Float, visibleKeys: [Int]? = nil
    ) -> Tensor {
        precondition(
            shape.rank == 3 && key.shape.rank == 3 && key.shape == value.shape && key.shape[0] == shape[0]
                && key.shape[2] == shape[2] && heads > 0 && shape[2] % heads == 0
                && (visibleKeys?.count ?? shape[1]) == shape[1]
                && (visibleKeys ?? []).allSatisfy { $0 >= 1 && $0 <= key.shape[1] },
            "attention of queries \(shape) to keys \(key.shape), values \(value.shape) in \(heads) heads")
        let plan = AttentionPlan(
            samples: shape[0], queries: shape[1], keys: key.shape[1], channels: shape[2], heads: heads,
            scale: scale, visible: visibleKeys)
        let (q, k, v) = (detached, key.detached, value.detached)
        let y = Tensor.uninitialized(shape)
        plan.forEachHead { plan.forward($0, q, k, v, y) }
        return y.recorded([self, key, value]) { gradient, _ in
            let dq = Tensor.uninitialized(q.shape)
            let dk = Tensor.uninitialized(k.shape)
            let dv = Tensor.uninitialized(v.shape)
            plan.forEachHead { plan.backward($0, q, k, v, gradient, dq, dk, dv) }
            return [dq, dk, dv]
        }
    }
}

private struct AttentionPlan {
    let samples, queries, keys, channels, heads: Int
    let scale: Float
    let visible: [Int]?

    var width: Int { channels / heads }

    /// Calls `body` with the number sample·heads + head, heads side by side on the pool's threads.
    func forEachHead(_ body: @escaping (Int) -> Void) {
        performParallel(samples * heads, grain: 1) { begin, end in
            for head in begin..<end { body(head) }
        }
    }

    func forward(_ head: Int, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ y: Tensor) {
        let probabilities = attention(head, gather(q, head, queries), gather(k, head, keys))
        let result = Tensor.uninitialized([queries, width])
        product(probabilities, gather(v, head, keys), into: result)
        scatter(result, y, head, queries)
    }

    func backward(
        _ head: Int, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ dy: Tensor, _ dq: Tensor, _ dk: Tensor,
        _ dv: Tensor
    ) {
        let (query, key) = (gather(q, head, queries), gather(k, head, keys))
        let (value, gradient) = (gather(v, head, keys), gather(dy, head, queries))
        let p = attention(head, query, key)
        let byQuery = Tensor.uninitialized([queries, width])
        let byKey = Tensor.uninitialized([keys, width])
        product(p, transposeA: true, gradient, into: byKey)
        scatter(byKey, dv, head, keys)
        let ds = Tensor.uninitialized([queries, keys])
        product(gradient, value, transposeB: true, into: ds)
        for row in 0..<queries {
            let (weights, slope) = (p.base + row * keys, ds.mutableBase + row * keys)
            let mean = Float(backend.dot(weights, slope, count: keys))
            for i in 0..<keys { slope[i] = scale * weights[i] * (slope[i] - mean) }
        }
        product(ds, key, into: byQuery)
        scatter(byQuery, dq, head, queries)
        product(ds, transposeA: true, query, into: byKey)
        scatter(byKey, dk, head, keys)
    }

    /// softmax(scale·q·kᵀ), zero beyond what a query sees.
    private func attention(_ head: Int, _ query: Tensor, _ key: Tensor) -> Tensor {
        let scores = Tensor.uninitialized([queries, keys])
        product(query, key, transposeB: true, into: scores)
        for row in 0..<queries {
            let values = UnsafeMutableBufferPointer(start: scores.mutableBase + row * keys, count: keys)
            let count = visible?[row] ?? keys
            var maximum = -Float.infinity
            for i in 0..<count { maximum = max(maximum, scale * values[i]) }
            for i in 0..<count { values[i] = scale * values[i] - maximum }
            if let base = values.baseAddress { backend.unary(.exp, base, base, count: count) }
            var sum = 0.0
            for i in 0..<count { sum += Double(values[i]) }
            let inverse = Float(1 / sum)
            for i in 0..<count { values[i] *= inverse }
            for i in count..<keys { values[i] = 0 }
        }
        return scores
    }

    private func gather(_ x: Tensor, _ head: Int, _ rows: Int) -> Tensor {
        let result = Tensor.uninitialized([rows, width])
        backend.copyBlock(
            x.base + start(head, rows), sourceStride: channels, result.mutableBase, targetStride: width,
            rows: rows, columns: width)
        return result
    }

    private func scatter(_ x: Tensor, _ target: Tensor, _ head: Int, _ rows: Int) {
        backend.copyBlock(
            x.base, sourceStride: width, target.mutableBase + start(head, rows), targetStride: channels,
            rows: rows, columns: width)
    }

    private func start(_ head: Int, _ rows: Int) -> Int {
        head / heads * rows * channels + head % heads * width
    }

    private func product(
        _ a: Tensor, transposeA: Bool = false, _ b: Tensor, transposeB: Bool = false, into c: Tensor
    ) {
        backend.matrixProduct(
            a.base, transposeA: transposeA, b.base, transposeB: transposeB, c.mutableBase, m: c.shape[0],
            n: c.shape[1], k: a.shape[transposeA ? 0 : 1], beta: 0)
    }
}
