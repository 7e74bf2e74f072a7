import CKernels

/// The forward pass of a feed-forward on blocks of rows.
struct FeedForwardPass {
    /// A worker's memory for the rows of a block.
    private struct Memory {
        let normal: RowOperand
        let activated: RowOperand
        /// Where there is a record, that takes what the products give.
        let hidden: Storage
        let branch: Storage
    }

    private let device: CPUBackend
    private let f: FeedForwardOperands
    private let record: FeedForwardRecord?
    private let blocks: RowBlocks
    private let widen: RowProduct
    private let narrow: RowProduct
    private let memory: [Memory]

    init(_ device: CPUBackend, _ f: FeedForwardOperands, _ record: FeedForwardRecord?, _ blocks: RowBlocks) {
        (self.device, self.f, self.record, self.blocks) = (device, f, record, blocks)
        widen = RowProduct(f.widen, .forward, blocks)
        narrow = RowProduct(f.narrow, .forward, blocks)
        let (rows, channels) = (blocks.rowLimit, blocks.layout.channels)
        memory = (0..<blocks.workerCount).map { _ in
            // First the normalised rows, then the branch.
            let ends = Storage(byteCount: 4 * rows * channels)
            return Memory(
                normal: RowOperand(rows: rows, width: channels, f.widen.precision, sharing: ends),
                activated: RowOperand(rows: rows, width: f.narrow.inputs, f.narrow.precision),
                hidden: Storage(byteCount: record == nil ? 4 * rows * f.widen.outputs : 0), branch: ends)
        }
    }

    /// - Parameters:
    ///   - x: the block's rows.
    ///   - y: the same, as results.
    func callAsFunction(_ x: Input, _ y: Output, block: Int, worker: Int) {
        let (own, rows) = (memory[worker], blocks.rows(block))
        let (first, count) = (rows.lowerBound, rows.count)
        let (c, hidden, fed) = (blocks.layout.channels, f.widen.outputs, f.narrow.inputs)
        let normal = own.normal(rows: count, width: c) {
            device.normalize(x, f.norm, f.statistics, $1, blocks, block: block, $0)
        }
        let wide = record.map { $0.hidden + first * hidden } ?? own.hidden.floats()
        widen(normal, wide, rows: count, worker: worker)
        let activated = own.activated(rows: count, width: fed) {
            Self.activate(f.activation, wide + $0.lowerBound * hidden, $1, rows: $0.count, channels: fed)
        }
        let branch = record.map { $0.branch + first * c } ?? own.branch.floats()
        narrow(activated, branch, rows: count, worker: worker)
        device.addGated(x, branch, f.gate, y, blocks, block: block)
    }

    /// y = f(x), `channels` those of the result.
    private static func activate(
        _ activation: ConvolutionActivation, _ x: Input, _ y: Output, rows: Int, channels: Int
    ) {
        if activation == .simpleGate {
            sfumato_gate(x, y, Int64(rows), Int64(channels))
        } else {
            sfumato_unary(.init(UnaryOperation.gelu.rawValue), x, y, Int64(rows * channels))
        }
    }
}

extension CPUBackend {
    func feedForward(
        _ x: Input, _ f: FeedForwardOperands, _ record: FeedForwardRecord?, _ y: Output, layout: ChannelLayout
    ) {
        let c = layout.channels
        let blocks = RowBlocks(layout, width: c + f.widen.outputs)
        let pass = FeedForwardPass(self, f, record, blocks)
        blocks.performShared { worker, waiting in
            while let block = waiting.next() {
                let start = blocks.rows(block).lowerBound * c
                pass(x + start, y + start, block: block, worker: worker)
            }
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
            // The gradient of the branch, then the normalised rows, then their gradient.
            let ends = Storage(byteCount: 4 * limit * c)
            let dBranches = RowOperand(rows: limit, width: c, f.narrow.precision, sharing: ends)
            let normals = RowOperand(rows: limit, width: c, f.widen.precision, sharing: ends)
            let dActivated = Storage(byteCount: 4 * limit * fed)
            let fedRows = RowOperand(rows: limit, width: fed, f.narrow.precision)
            // The GELU's gradient takes the place of what it is made from.
            let dHiddens = RowOperand(
                rows: limit, width: hidden, f.widen.precision,
                sharing: f.activation == .gelu ? dActivated : nil)
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let (first, count) = (rows.lowerBound, rows.count)
                let dBranch = dBranches(rows: count, width: c) {
                    gateBackward(dy, record.branch, f.gate, $1, sums: gates, blocks, block: block, $0)
                }
                narrow(dBranch, dActivated.floats(), rows: count, worker: worker)
                // Both operands are made from the same rows in one go.
                var fedOperand: UnsafeRawPointer?
                let dHidden = dHiddens(rows: count, width: hidden) { range, dTarget in
                    fedOperand = fedRows.part(range, width: fed) { target in
                        activateBackward(
                            f.activation, record.hidden + first * hidden,
                            dActivated.floats(offset: range.lowerBound * fed), target, dTarget, sums: biases,
                            channels: fed, blocks, block: block, range)
                    }
                }
                if let fedOperand { narrowSum.add(dBranch, fedOperand, rows: count, worker: worker) }
                let normal = normals(rows: count, width: c) {
                    normalizeAgain(x, f.norm, f.statistics, $1, blocks, block: block, $0)
                }
                widenSum.add(dHidden, normal, rows: count, worker: worker)
                widen(dHidden, ends.floats(), rows: count, worker: worker)
                normalizeBackward(
                    x, f.norm, f.statistics, ends.floats(), residual: dy, dx, sums: vectors, blocks,
                    block: block)
            }
            withExtendedLifetime((ends, dBranches, dActivated, fedRows, dHiddens, normals)) {}
        }
        widenSum.finish()
        narrowSum.finish()
        blocks.reduce(biases, stride: hidden, width: hidden, isShared: true, into: gradients.widen.bias)
        reduceGate(gates, f.gate, gate: gradients.gate, bias: gradients.narrow.bias, blocks)
        reduceNorm(vectors, f.norm, scale: gradients.scale, shift: gradients.shift, blocks)
    }

    /// From `du`, the gradient of f(x), of rows of a block: f(x) once more and dx.
    /// - Parameters:
    ///   - x: of all rows of the block; the others begin with the range's first.
    ///   - sums: [segments, width of x], of the gradient of a bias within x.
    private func activateBackward(
        _ activation: ConvolutionActivation, _ x: Input, _ du: Input, _ u: Output, _ dx: Output,
        sums: Storage, channels c: Int, _ blocks: RowBlocks, block: Int, _ range: Range<Int>
    ) {
        blocks.eachSegment(block, range) { segment, _, row, count in
            let own = row - range.lowerBound
            if activation == .simpleGate {
                sfumato_gate_again(
                    x + row * 2 * c, du + own * c, u + own * c, dx + own * 2 * c,
                    sums.floats(offset: segment * 2 * c), Int64(count), Int64(c))
            } else {
                sfumato_gelu_again(
                    x + row * c, du + own * c, u + own * c, dx + own * c, sums.floats(offset: segment * c),
                    Int64(count), Int64(c))
            }
        }
    }
}
