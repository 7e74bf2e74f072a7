import CKernels

/// A worker's memory for the rows of a block on their way through a feed-forward.
private struct FeedForwardMemory {
    /// Normalised rows, later the branch.
    let ends: Storage
    let activated: Storage
    /// Where there is a record, that takes what stands between.
    let between: Storage
    let rounded: RowRounding

    init(_ f: FeedForwardOperands, channels: Int, rows: Int, isRecorded: Bool) {
        ends = Storage(byteCount: 4 * rows * channels)
        activated = Storage(byteCount: 4 * rows * f.narrow.inputs)
        between = Storage(byteCount: isRecorded ? 0 : 4 * rows * f.widen.outputs)
        rounded = RowRounding(capacity: rows * max(channels, f.narrow.inputs), f.widen.precision)
    }
}

extension CPUBackend {
    func feedForward(
        _ x: Input, _ f: FeedForwardOperands, _ record: FeedForwardRecord?, _ y: Output, layout: ChannelLayout
    ) {
        let (c, hidden, fed) = (layout.channels, f.widen.outputs, f.narrow.inputs)
        let blocks = RowBlocks(layout, width: c + hidden)
        let (widen, narrow) = (RowProduct(f.widen, .forward, blocks), RowProduct(f.narrow, .forward, blocks))
        let memory = (0..<blocks.workerCount).map { _ in
            FeedForwardMemory(f, channels: c, rows: blocks.rowLimit, isRecorded: record != nil)
        }
        blocks.performShared { worker, waiting in
            let own = memory[worker]
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let (first, count) = (rows.lowerBound, rows.count)
                let wide = record.map { $0.hidden + first * hidden } ?? own.between.floats()
                normalize(x, f.norm, f.statistics, own.ends.floats(), blocks, block: block)
                widen(own.rounded(own.ends.floats(), count: count * c), wide, rows: count, worker: worker)
                activate(f.activation, wide, own.activated.floats(), rows: count, channels: fed)
                let branch = record.map { $0.branch + first * c } ?? own.ends.floats()
                narrow(
                    own.rounded(own.activated.floats(), count: count * fed), branch, rows: count,
                    worker: worker)
                addGated(x, branch, f.gate, y, blocks, block: block)
            }
        }
    }

    /// y = f(x) of a block's rows, `channels` those of the result.
    private func activate(
        _ activation: ConvolutionActivation, _ x: Input, _ y: Output, rows: Int, channels: Int
    ) {
        if activation == .simpleGate {
            sfumato_gate(x, y, Int64(rows), Int64(channels))
        } else {
            sfumato_unary(.init(UnaryOperation.gelu.rawValue), x, y, Int64(rows * channels))
        }
    }

    func feedForwardBackward(
        _ x: Input, _ f: FeedForwardOperands, _ record: FeedForwardRecord, _ dy: Input, _ dx: Output,
        _ gradients: FeedForwardGradients, layout: ChannelLayout
    ) {
        let (c, hidden, fed) = (layout.channels, f.widen.outputs, f.narrow.inputs)
        let blocks = RowBlocks(layout, width: c + hidden + fed, minimum: 128)
        let widen = RowProduct(f.widen, .backwardData, blocks)
        let narrow = RowProduct(f.narrow, .backwardData, blocks)
        let widenSum = WeightGradientSum(f.widen, into: gradients.widen.weight, blocks)
        let narrowSum = WeightGradientSum(f.narrow, into: gradients.narrow.weight, blocks)
        let (vectors, gates) = (blocks.sums(width: 2 * c), blocks.sums(width: 2 * c))
        let biases = blocks.sums(width: hidden)
        blocks.divide { worker, waiting in
            let limit = blocks.rowLimit
            let (ends, activated) = (Storage(byteCount: 4 * limit * c), Storage(byteCount: 4 * limit * fed))
            let dHidden = Storage(byteCount: 4 * limit * hidden)
            let dActivated = f.activation == .gelu ? dHidden : Storage(byteCount: 4 * limit * fed)
            let rounded = RowRounding(capacity: limit * max(c, fed), f.widen.precision)
            let roundedGradient = RowRounding(capacity: limit * max(c, hidden), f.widen.precision)
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let (first, count) = (rows.lowerBound, rows.count)
                gateBackward(dy, record.branch, f.gate, ends.floats(), sums: gates, blocks, block: block)
                let dBranch = roundedGradient(ends.floats(), count: count * c)
                narrow(dBranch, dActivated.floats(), rows: count, worker: worker)
                activateBackward(
                    f.activation, record.hidden + first * hidden, dActivated.floats(), activated.floats(),
                    dHidden.floats(), sums: biases, channels: fed, blocks, block: block)
                narrowSum.add(
                    dBranch, rounded(activated.floats(), count: count * fed), rows: count, worker: worker)
                let dWide = roundedGradient(dHidden.floats(), count: count * hidden)
                normalizeAgain(x, f.norm, f.statistics, ends.floats(), blocks, block: block)
                widenSum.add(dWide, rounded(ends.floats(), count: count * c), rows: count, worker: worker)
                widen(dWide, ends.floats(), rows: count, worker: worker)
                normalizeBackward(
                    x, f.norm, f.statistics, ends.floats(), residual: dy, dx, sums: vectors, blocks,
                    block: block)
            }
            withExtendedLifetime((ends, activated, dHidden, dActivated, rounded, roundedGradient)) {}
        }
        widenSum.finish()
        narrowSum.finish()
        blocks.reduce(biases, stride: hidden, width: hidden, isShared: true, into: gradients.widen.bias)
        reduceGate(gates, f.gate, gate: gradients.gate, bias: gradients.narrow.bias, blocks)
        reduceNorm(vectors, f.norm, scale: gradients.scale, shift: gradients.shift, blocks)
    }

    /// From `du`, the gradient of f(x) [rows, channels]: f(x) once more and dx, which for a GELU takes du's place.
    /// - Parameter sums: [segments, width of x], of the gradient of a bias within x.
    private func activateBackward(
        _ activation: ConvolutionActivation, _ x: Input, _ du: Output, _ u: Output, _ dx: Output,
        sums: Storage, channels c: Int, _ blocks: RowBlocks, block: Int
    ) {
        blocks.eachSegment(block) { segment, _, row, count in
            if activation == .simpleGate {
                sfumato_gate_again(
                    x + row * 2 * c, du + row * c, u + row * c, dx + row * 2 * c,
                    sums.floats(offset: segment * 2 * c), Int64(count), Int64(c))
            } else {
                sfumato_gelu_again(
                    x + row * c, du + row * c, u + row * c, sums.floats(offset: segment * c), Int64(count),
                    Int64(c))
            }
        }
    }
}
