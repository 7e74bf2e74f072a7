import CKernels

// Kernels on the heads of tokens, and the other row-wise operations of attention networks.
extension CPUBackend {
    /// Calls `body(sample, firstRow, rowCount)` on parts that never cross a sample.
    private func eachPart(_ layout: HeadLayout, _ body: @escaping (Int, Int, Int) -> Void) {
        guard layout.rows > 0, layout.channels > 0 else { return }
        performParallel(layout.rows, grain: max(1, Self.grain / layout.channels)) { begin, end in
            var row = begin
            while row < end {
                let sample = row / layout.tokens
                let stop = min(end, (sample + 1) * layout.tokens)
                body(sample, row, stop - row)
                row = stop
            }
        }
    }

    func headDot(_ a: Input, _ b: Input, _ out: Output, layout: HeadLayout, perSample: Bool) {
        let (c, h) = (layout.channels, layout.heads)
        eachPart(layout) { sample, row, count in
            sfumato_group_dot(
                a + row * c, b + (perSample ? sample : row) * c, perSample ? 0 : Int64(c), out + row * h,
                Int64(count), Int64(c), Int64(h))
        }
    }

    func headScale(_ x: Input, _ s: Input, _ y: Output, layout: HeadLayout, shared: Bool) {
        let (c, h) = (layout.channels, layout.heads)
        eachPart(layout) { sample, row, count in
            let first = shared ? row - sample * layout.tokens : row
            sfumato_group_scale(x + row * c, s + first * h, y + row * c, Int64(count), Int64(c), Int64(h))
        }
    }

    func headAddVector(_ s: Input, _ v: Input, into y: Output, layout: HeadLayout) {
        let (c, h) = (layout.channels, layout.heads)
        eachPart(layout) { sample, row, count in
            sfumato_group_add_vector(
                s + row * h, v + sample * c, y + row * c, Int64(count), Int64(c), Int64(h))
        }
    }

    func headSum(_ s: Input, _ x: Input, _ sum: Output, layout: HeadLayout) {
        let (c, h) = (layout.channels, layout.heads)
        nonisolated(unsafe) let sum = sum
        // One task per sample keeps the order of additions the same for every thread count.
        performParallel(layout.samples, grain: 1) { begin, end in
            for sample in begin..<end {
                let row = sample * layout.tokens
                (sum + sample * c).update(repeating: 0, count: c)
                sfumato_group_sum(
                    s + row * h, x + row * c, sum + sample * c, Int64(layout.tokens), Int64(c), Int64(h))
            }
        }
    }

    func rotatePairs(
        _ x: Input, cosine: Input, sine: Input, backwards: Bool, _ y: Output, layout: HeadLayout, shared: Bool
    ) {
        let (c, half) = (layout.channels, layout.width / 2)
        eachPart(layout) { sample, first, count in
            for row in first..<first + count {
                let entry = (shared ? row - sample * layout.tokens : row) * half
                sfumato_rotate_pairs(
                    x + row * c, cosine + entry, sine + entry, backwards ? -1 : 1, y + row * c,
                    Int64(layout.heads), Int64(half))
            }
        }
    }

    func softmax(_ x: Input, _ y: Output, rows: Int, columns: Int) {
        performParallel(rows, grain: max(1, Self.grain / max(1, columns))) { begin, end in
            sfumato_softmax(x + begin * columns, y + begin * columns, Int64(end - begin), Int64(columns))
        }
    }

    func softmaxBackward(_ y: Input, _ dy: Input, _ dx: Output, rows: Int, columns: Int) {
        performParallel(rows, grain: max(1, Self.grain / max(1, columns))) { begin, end in
            let start = begin * columns
            sfumato_softmax_backward(y + start, dy + start, dx + start, Int64(end - begin), Int64(columns))
        }
    }

    func rmsNorm(
        _ x: Input, _ y: Output, inverse: Output, epsilon: Float, outside: Bool, rows: Int, channels: Int
    ) {
        performParallel(rows, grain: max(1, Self.grain / max(1, channels))) { begin, end in
            let start = begin * channels
            sfumato_rms_norm(
                x + start, y + start, inverse + begin, epsilon, outside ? 1 : 0, Int64(end - begin),
                Int64(channels)
            )
        }
    }

    func rmsNormBackward(
        _ x: Input, _ dy: Input, inverse: Input, _ dx: Output, epsilon: Float, outside: Bool, rows: Int,
        channels: Int
    ) {
        performParallel(rows, grain: max(1, Self.grain / max(1, channels))) { begin, end in
            let start = begin * channels
            sfumato_rms_norm_backward(
                x + start, dy + start, inverse + begin, dx + start, outside ? 1 : 0, epsilon,
                Int64(end - begin),
                Int64(channels))
        }
    }

    func clamp(_ x: Input, _ y: Output, limit: Float, count: Int) {
        perform { sfumato_clamp(x, y, limit, Int64(count)) }
    }

    func clampBackward(_ x: Input, _ dy: Input, _ dx: Output, limit: Float, count: Int) {
        perform { sfumato_clamp_backward(x, dy, dx, limit, Int64(count)) }
    }

    func permute(_ x: Input, _ y: Output, extents: [Int], order: [Int]) {
        var strides = [Int](repeating: 1, count: extents.count)
        for axis in extents.indices.dropLast().reversed() {
            strides[axis] = strides[axis + 1] * extents[axis + 1]
        }
        // Trailing axes that stay in place are copied as runs.
        var kept = order.count
        while kept > 0, order[kept - 1] == kept - 1 { kept -= 1 }
        let run = extents[kept...].reduce(1, *)
        let moved = order[..<kept]
        let shape = moved.map { Int64(extents[$0]) }
        let steps = moved.map { Int64(strides[$0]) }
        let count = moved.reduce(1) { $0 * extents[$1] }
        performParallel(count, grain: max(1, Self.grain / max(1, run))) { begin, end in
            sfumato_permute(x, y, shape, steps, Int64(kept), Int64(run), Int64(begin), Int64(end))
        }
    }
}
