import CKernels

// Kernels of batch normalisation.
extension CPUBackend {
    func sumSquaredDeviations(_ x: Input, mean: Input, _ sum: Output, layout: ChannelLayout) {
        let c = layout.channels
        reduceRows(layout, vectors: 1, into: sum) { _, row, count, sum in
            sfumato_sum_squared_deviations(x + row * c, mean, sum, Int64(count), Int64(c))
        }
    }

    func normalizeChannels(
        _ x: Input, mean: Input, scale: Input, shift: Input, _ y: Output, layout: ChannelLayout
    ) {
        let c = layout.channels
        eachPart(layout) { _, row, count in
            sfumato_normalize_channels(
                x + row * c, mean, scale, shift, y + row * c, Int64(count), Int64(c))
        }
    }

    func batchNormSums(
        _ x: Input, _ dy: Input, mean: Input, inverse: Input, sums: Output, layout: ChannelLayout
    ) {
        let c = layout.channels
        reduceRows(layout, vectors: 2, into: sums) { _, row, count, sums in
            sfumato_batch_norm_sums(
                x + row * c, dy + row * c, mean, inverse, sums, sums + c, Int64(count), Int64(c))
        }
    }

    func batchNormBackward(
        _ x: Input, _ dy: Input, mean: Input, inverse: Input, scale: Input, meanDy: Input,
        meanProduct: Input, _ dx: Output, layout: ChannelLayout
    ) {
        let c = layout.channels
        eachPart(layout) { _, row, count in
            sfumato_batch_norm_backward(
                x + row * c, dy + row * c, mean, inverse, scale, meanDy, meanProduct, dx + row * c,
                Int64(count), Int64(c))
        }
    }
}
