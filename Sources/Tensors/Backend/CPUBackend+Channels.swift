import CKernels

// Kernels on channel vectors. Work is divided by rows; parts never cross a sample, whose vector differs.
extension CPUBackend {
    /// Calls `body(sample, firstRow, rowCount)`, rows counted over all samples.
    func eachPart(_ layout: ChannelLayout, _ body: @escaping (Int, Int, Int) -> Void) {
        guard layout.rows > 0, layout.channels > 0 else { return }
        performParallel(layout.samples * layout.rows, grain: max(1, Self.grain / layout.channels)) {
            begin, end in
            var row = begin
            while row < end {
                let sample = row / layout.rows
                let stop = min(end, (sample + 1) * layout.rows)
                body(sample, row, stop - row)
                row = stop
            }
        }
    }

    /// Sums over the rows of each sample: `body(firstRow, rowCount, sum)` adds to a zeroed vector. Chunks have a
    /// fixed length and are added in order, so the result does not depend on the thread count.
    func reduceRows(
        _ layout: ChannelLayout, vectors: Int, into sum: Output,
        _ body: @escaping (Int, Int, Int, Output) -> Void
    ) {
        let channels = layout.channels * vectors
        let chunkRows = max(16, min(layout.rows, (1 << 16) / max(1, layout.channels)))
        let chunks = max(1, (layout.rows + chunkRows - 1) / chunkRows)
        let partial = chunks > 1 ? Storage(byteCount: layout.samples * chunks * channels * 4) : nil
        let target = partial?.floats() ?? sum
        nonisolated(unsafe) let out = target
        performParallel(
            layout.samples * chunks, grain: max(1, Self.grain / max(1, chunkRows * layout.channels))
        ) {
            for part in $0..<$1 {
                let sample = part / chunks
                let start = part % chunks * chunkRows
                let vector = out + part * channels
                vector.update(repeating: 0, count: channels)
                body(sample, sample * layout.rows + start, min(chunkRows, layout.rows - start), vector)
            }
        }
        guard let partial else { return }
        perform {
            for sample in 0..<layout.samples {
                (sum + sample * channels).update(from: out + sample * chunks * channels, count: channels)
                for chunk in 1..<chunks {
                    sfumato_accumulate(
                        out + (sample * chunks + chunk) * channels, sum + sample * channels, 1,
                        Int64(channels))
                }
            }
            withExtendedLifetime(partial) {}
        }
    }

    func channelBinary(
        _ operation: BinaryOperation, _ x: Input, _ v: Input, _ y: Output, layout: ChannelLayout,
        perSample: Bool
    ) {
        let c = layout.channels
        eachPart(layout) { sample, row, count in
            sfumato_channel_binary(
                .init(operation.rawValue), x + row * c, perSample ? v + sample * c : v, y + row * c,
                Int64(count),
                Int64(c))
        }
    }

    func channelScaleAdd(_ x: Input, _ v: Input, _ z: Input, _ y: Output, layout: ChannelLayout) {
        let c = layout.channels
        eachPart(layout) { sample, row, count in
            sfumato_channel_scale_add(
                x + row * c, v + sample * c, z + row * c, y + row * c, Int64(count), Int64(c))
        }
    }

    func sumRows(_ a: Input, _ b: Input?, _ sum: Output, layout: ChannelLayout) {
        let c = layout.channels
        reduceRows(layout, vectors: 1, into: sum) { _, row, count, sum in
            sfumato_sum_rows(a + row * c, b.map { $0 + row * c }, sum, Int64(count), Int64(c))
        }
    }

    func geluSumRows(_ x: Input, _ y: Output, _ sum: Output, layout: ChannelLayout) {
        let c = layout.channels
        reduceRows(layout, vectors: 1, into: sum) { _, row, count, sum in
            sfumato_gelu_sum_rows(x + row * c, y + row * c, sum, Int64(count), Int64(c))
        }
    }

    func geluScaleBackward(
        _ x: Input, _ dy: Input, scale: Input, shift: Input, _ dx: Output, layout: ChannelLayout
    ) {
        let c = layout.channels
        eachPart(layout) { sample, row, count in
            sfumato_gelu_scale_backward(
                x + row * c, dy + row * c, scale + sample * c, shift + sample * c, dx + row * c, Int64(count),
                Int64(c))
        }
    }

    func layerNorm(
        _ x: Input, scale: Input?, shift: Input?, _ y: Output, mean: Output, inverseDeviation: Output,
        epsilon: Float, scaleBase: Float, layout: ChannelLayout
    ) {
        let c = layout.channels
        eachPart(layout) { sample, row, count in
            sfumato_layer_norm(
                x + row * c, scale.map { $0 + sample * c }, shift.map { $0 + sample * c }, y + row * c,
                mean + row,
                inverseDeviation + row, epsilon, scaleBase, Int64(count), Int64(c))
        }
    }

    func layerNormBackward(
        _ x: Input, scale: Input?, _ dy: Input, mean: Input, inverseDeviation: Input, _ dx: Output,
        dScale: Output?, dShift: Output?, scaleBase: Float, layout: ChannelLayout
    ) {
        let c = layout.channels
        guard let dScale, let dShift else {
            return eachPart(layout) { sample, row, count in
                sfumato_layer_norm_backward(
                    x + row * c, scale.map { $0 + sample * c }, dy + row * c, mean + row,
                    inverseDeviation + row,
                    dx + row * c, nil, nil, scaleBase, nil, Int64(count), Int64(c))
            }
        }
        // Both sums side by side: [samples, 2, channels].
        let sums = Storage(byteCount: layout.samples * 2 * c * 4)
        reduceRows(layout, vectors: 2, into: sums.floats()) { sample, row, count, sum in
            sfumato_layer_norm_backward(
                x + row * c, scale.map { $0 + sample * c }, dy + row * c, mean + row, inverseDeviation + row,
                dx + row * c, sum, sum + c, scaleBase, nil, Int64(count), Int64(c))
        }
        copyBlock(
            sums.floats(), sourceStride: 2 * c, dScale, targetStride: c, rows: layout.samples, columns: c)
        copyBlock(
            sums.floats(offset: c), sourceStride: 2 * c, dShift, targetStride: c, rows: layout.samples,
            columns: c)
        withExtendedLifetime(sums) {}
    }
}
