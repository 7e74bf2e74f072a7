import CKernels

// Matrix products of heads, and softmax attention that never holds more than a block of scores.
extension CPUBackend {
    /// Queries and keys of a block: its scores stay in the second-level cache.
    private static let queryBlock = 64
    private static let keyBlock = 256

    func matrixProducts(_ p: BatchedProduct, _ a: Input, _ b: Input, _ c: Output) {
        let count = p.outer * p.inner
        func one(_ index: Int) {
            let (i, j) = (index / p.inner, index % p.inner)
            OneDNN.stridedProduct(
                a + i * p.a.outer + j * p.a.inner, p.transposeA, p.a.row, b + i * p.b.outer + j * p.b.inner,
                p.transposeB, p.b.row, c + i * p.c.outer + j * p.c.inner, p.c.row, m: p.m, n: p.n, k: p.k,
                scale: p.scale, beta: p.beta)
        }
        // One product may use all threads itself; several are faster side by side.
        if count == 1 { return perform { one(0) } }
        performParallel(count, grain: 1) { begin, end in
            for index in begin..<end { one(index) }
        }
    }

    func attention(
        _ q: Input, _ k: Input, _ v: Input, _ y: Output, logSum: Output, queries: HeadLayout,
        keys: HeadLayout,
        scale: Float
    ) {
        let (heads, width, stride) = (queries.heads, queries.width, queries.channels)
        let blocks = (queries.tokens + Self.queryBlock - 1) / Self.queryBlock
        performParallel(queries.samples * heads * blocks, grain: 1) { begin, end in
            let scores = Storage(byteCount: Self.queryBlock * Self.keyBlock * 4)
            let state = Storage(byteCount: Self.queryBlock * (width + 2) * 4)
            let (maximum, sum) = (state.floats(), state.floats(offset: Self.queryBlock))
            let accumulated = state.floats(offset: 2 * Self.queryBlock)
            for task in begin..<end {
                let (sample, head) = (task / (heads * blocks), task / blocks % heads)
                let first = task % blocks * Self.queryBlock
                let rows = min(Self.queryBlock, queries.tokens - first)
                let offset = (sample * queries.tokens + first) * stride + head * width
                maximum.update(repeating: -.infinity, count: rows)
                sum.update(repeating: 0, count: rows)
                accumulated.update(repeating: 0, count: rows * width)
                for start in Swift.stride(from: 0, to: keys.tokens, by: Self.keyBlock) {
                    let columns = min(Self.keyBlock, keys.tokens - start)
                    let position = (sample * keys.tokens + start) * stride + head * width
                    OneDNN.stridedProduct(
                        q + offset, false, stride, k + position, true, stride, scores.floats(), columns,
                        m: rows,
                        n: columns, k: width, scale: scale, beta: 0)
                    sfumato_softmax_stream(
                        scores.floats(), maximum, sum, accumulated, Int64(rows), Int64(columns), Int64(width))
                    OneDNN.stridedProduct(
                        scores.floats(), false, columns, v + position, false, stride, accumulated, width,
                        m: rows,
                        n: width, k: columns, scale: 1, beta: 1)
                }
                Self.finish(
                    accumulated, maximum, sum, y + offset, stride: stride, width: width, rows: rows,
                    logSum: logSum + (sample * heads + head) * queries.tokens + first)
            }
        }
    }

    /// y = accumulated / sum, logSum = maximum + ln sum.
    private static func finish(
        _ accumulated: Input, _ maximum: Input, _ sum: Input, _ y: Output, stride: Int, width: Int, rows: Int,
        logSum: Output
    ) {
        for row in 0..<rows {
            sfumato_affine(accumulated + row * width, y + row * stride, 1 / sum[row], 0, Int64(width))
        }
        sfumato_unary(.init(UnaryOperation.log.rawValue), sum, logSum, Int64(rows))
        sfumato_accumulate(maximum, logSum, 1, Int64(rows))
    }

    func attentionBackward(
        _ q: Input, _ k: Input, _ v: Input, logSum: Input, delta: Input, _ dy: Input, _ dq: Output,
        _ dk: Output,
        _ dv: Output, queries: HeadLayout, keys: HeadLayout, scale: Float
    ) {
        for (gradient, layout) in [(dq, queries), (dk, keys), (dv, keys)] {
            gradient.update(repeating: 0, count: layout.rows * layout.channels)
        }
        let pass = AttentionBackwardPass(
            q: q, k: k, v: v, dy: dy, logSum: logSum, delta: delta, dq: dq, dk: dk, dv: dv, queries: queries,
            keys: keys, scale: scale)
        let size = Self.queryBlock * Self.keyBlock
        parallelFor(queries.samples * queries.heads, grain: 1) { begin, end in
            let blocks = Storage(byteCount: 2 * size * 4)
            for index in begin..<end {
                pass.head(
                    index, queryBlock: Self.queryBlock, keyBlock: Self.keyBlock, blocks.floats(),
                    blocks.floats(offset: size))
            }
        }
    }
}

/// The backward pass of attention; heads are independent of one another.
private struct AttentionBackwardPass {
    let q, k, v, dy, logSum, delta: Input
    let dq, dk, dv: Output
    let queries, keys: HeadLayout
    let scale: Float

    /// Goes through all pairs of blocks of one sample's head. `p` and `dp` have room for a block of scores.
    func head(_ index: Int, queryBlock: Int, keyBlock: Int, _ p: Output, _ dp: Output) {
        let (sample, head) = (index / queries.heads, index % queries.heads)
        for first in Swift.stride(from: 0, to: queries.tokens, by: queryBlock) {
            let rows = min(queryBlock, queries.tokens - first)
            for start in Swift.stride(from: 0, to: keys.tokens, by: keyBlock) {
                let columns = min(keyBlock, keys.tokens - start)
                block(
                    head, row: sample * queries.tokens + first, rows: rows, key: sample * keys.tokens + start,
                    columns: columns, logSum + index * queries.tokens + first, p, dp)
            }
        }
    }

    /// Adds what one block of queries and one of keys give each other. `row` and `key` count over all samples.
    private func block(
        _ head: Int, row: Int, rows: Int, key: Int, columns: Int, _ logSum: Input, _ p: Output, _ dp: Output
    ) {
        let (width, stride) = (queries.width, queries.channels)
        let offset = row * stride + head * width
        let position = key * stride + head * width
        func scores(_ a: Input, _ b: Input, _ c: Output, _ scale: Float) {
            OneDNN.stridedProduct(
                a, false, stride, b, true, stride, c, columns, m: rows, n: columns, k: width, scale: scale,
                beta: 0)
        }
        func gather(_ weights: Input, _ a: Input, _ c: Output, transposed: Bool) {
            OneDNN.stridedProduct(
                weights, transposed, columns, a, false, stride, c, stride, m: transposed ? columns : rows,
                n: width,
                k: transposed ? rows : columns, scale: 1, beta: 1)
        }
        scores(q + offset, k + position, p, scale)
        sfumato_softmax_recompute(p, logSum, 1, Int64(rows), Int64(columns))
        gather(p, dy + offset, dv + position, transposed: true)
        scores(dy + offset, v + position, dp, 1)
        sfumato_softmax_stream_backward(
            p, dp, delta + row * queries.heads + head, Int64(queries.heads), scale, Int64(rows),
            Int64(columns))
        gather(dp, k + position, dq + offset, transposed: false)
        gather(dp, q + offset, dk + position, transposed: true)
    }
}
