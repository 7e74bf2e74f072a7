import CKernels

extension ConvolutionGeometry {
    /// Whether each channel is convolved by itself in the form that our own kernels have: 3×3 at stride 1 that keeps the
    /// size, channels in sixteens.
    ///
    /// Decided by the extents of one image, never by the batch, so that a sample's result is the same in any batch.
    var suitsDepthwise: Bool {
        groups == inputChannels && groups == outputChannels && kernelHeight == 3 && kernelWidth == 3
            && stride == 1 && padding == 1 && dilation == 1 && groups % 16 == 0
    }

    /// Whether the same pass can multiply the first half of the channels by the second.
    var suitsDepthwiseGate: Bool { suitsDepthwise && groups % 32 == 0 }

    fileprivate var depthwise: sfumato_depthwise {
        sfumato_depthwise(
            batch: Int64(batch), height: Int64(height), width: Int64(width), channels: Int64(groups))
    }

    /// Groups of rows that are worth a thread of their own.
    fileprivate var depthwiseGrain: Int { max(1, (1 << 14) / max(1, 4 * width * groups)) }
}

/// Depthwise 3×3 convolutions: bound by memory when done well, and then two to five times as fast as the library's.
extension CPUBackend {
    /// Weights tap by tap, kept beside them until they change.
    /// - Returns: for weights of one use also what packs them, as part of the step.
    private func packed(_ g: ConvolutionGeometry, _ weight: WeightBuffer, flipped: Bool) -> (
        weights: Storage, pack: (() -> Void)?
    ) {
        func pack(_ result: Storage) {
            sfumato_depthwise_pack(weight.pointer, result.floats(), Int64(g.groups), flipped ? 1 : 0)
        }
        let byteCount = 4 * 9 * g.groups
        if weight.isTransient {
            let result = Storage(byteCount: byteCount)
            return (result, { pack(result) })
        }
        let key = PackKey(layout: flipped ? -4 : -3, offset: weight.offset)
        let result = weight.storage.packed(key) {
            let result = Storage(byteCount: byteCount)
            pack(result)
            return result
        }
        return (result, nil)
    }

    func depthwiseConvolution(
        _ g: ConvolutionGeometry, _ x: Input, weight: WeightBuffer, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output
    ) {
        let (weights, pack) = packed(g, weight, flipped: false)
        let isGated = activation == .simpleGate
        performGroups(g, after: pack) { shape, begin, end in
            isGated
                ? sfumato_depthwise_forward_gated(shape, x, weights.floats(), bias, y, begin, end)
                : sfumato_depthwise_forward(shape, x, weights.floats(), bias, y, begin, end)
        }
        let count = g.batch * g.height * g.width * g.groups
        if activation == .relu { unary(.relu, y, y, count: count) }
        if activation == .gelu { unary(.gelu, y, y, count: count) }
    }

    /// The convolution, its activation and the sums of the results over each image, group by group of rows while these are
    /// in the cache. Sums are added in one order for any number of threads.
    func depthwiseConvolutionWithSums(
        _ g: ConvolutionGeometry, _ x: Input, weight: WeightBuffer, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output, sums: Output
    ) {
        let (weights, pack) = packed(g, weight, flipped: false)
        let isGated = activation == .simpleGate
        let channels = isGated ? g.groups / 2 : g.groups
        let groups = withUnsafePointer(to: g.depthwise) { Int(sfumato_depthwise_group_count($0)) }
        let perImage = groups / max(1, g.batch)
        let partial = Storage(byteCount: 4 * groups * channels)
        performGroups(g, after: pack) { shape, begin, end in
            for group in begin..<end {
                isGated
                    ? sfumato_depthwise_forward_gated(shape, x, weights.floats(), bias, y, group, group + 1)
                    : sfumato_depthwise_forward(shape, x, weights.floats(), bias, y, group, group + 1)
                sumGroup(
                    shape, group, y, channels: channels, activation,
                    into: partial.floats(offset: Int(group) * channels))
            }
        }
        perform {
            for image in 0..<g.batch {
                let sum = sums + image * channels
                sum.update(repeating: 0, count: channels)
                for group in image * perImage..<(image + 1) * perImage {
                    sfumato_accumulate(partial.floats(offset: group * channels), sum, 1, Int64(channels))
                }
            }
        }
    }

    /// Activates the results of a group of rows and adds them up.
    private func sumGroup(
        _ shape: UnsafePointer<sfumato_depthwise>, _ group: Int64, _ y: Output, channels: Int,
        _ activation: ConvolutionActivation, into sum: Output
    ) {
        var first: Int64 = 0
        let count = sfumato_depthwise_group_rows(shape, group, &first) * shape.pointee.width
        let result = y + Int(first * shape.pointee.width) * channels
        sum.update(repeating: 0, count: channels)
        if activation == .gelu {
            sfumato_gelu_sum_rows(result, result, sum, count, Int64(channels))
        } else {
            sfumato_sum_rows(result, nil, sum, count, Int64(channels))
        }
    }

    func depthwiseBackwardData(_ g: ConvolutionGeometry, _ dy: Input, weight: WeightBuffer, _ dx: Output) {
        let (weights, pack) = packed(g, weight, flipped: true)
        performGroups(g, after: pack) { shape, begin, end in
            sfumato_depthwise_forward(shape, dy, weights.floats(), nil, dx, begin, end)
        }
    }

    private func performGroups(
        _ g: ConvolutionGeometry, after pack: (() -> Void)?,
        _ body: @escaping (UnsafePointer<sfumato_depthwise>, _ begin: Int64, _ end: Int64) -> Void
    ) {
        let shape = g.depthwise
        let count = withUnsafePointer(to: shape) { Int(sfumato_depthwise_group_count($0)) }
        let (work, grain) = (
            PartialWork { begin, end in
                withUnsafePointer(to: shape) { body($0, Int64(begin), Int64(end)) }
            }, g.depthwiseGrain
        )
        perform {
            pack?()
            work.run(count, grain: grain)
        }
    }

    /// Sums over at most eight runs of images, then over the runs: the same bytes for any number of threads.
    func depthwiseBackwardWeights(
        _ g: ConvolutionGeometry, _ x: Input, _ dy: Input, dWeight: Output, dBias: Output?
    ) {
        let (channels, parts) = (g.groups, min(8, g.batch))
        let partial = Storage(byteCount: 4 * parts * 9 * channels)
        parallelFor(parts, grain: 1) { begin, end in
            var shape = g.depthwise
            for part in begin..<end {
                sfumato_depthwise_weight_gradient(
                    &shape, x, dy, partial.floats(offset: part * 9 * channels),
                    Int64(g.batch * part / parts), Int64(g.batch * (part + 1) / parts))
            }
        }
        for channel in 0..<channels {
            for tap in 0..<9 {
                let sum = (0..<parts).reduce(0.0) {
                    $0 + Double(partial.floats()[($1 * 9 + tap) * channels + channel])
                }
                dWeight[channel * 9 + tap] = Float(sum)
            }
        }
        guard let dBias else { return }
        let rows = g.batch * g.height * g.width
        sumRows(dy, nil, dBias, layout: ChannelLayout(samples: 1, rows: rows, channels: channels))
    }
}
