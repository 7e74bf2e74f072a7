import CKernels

/// The forward pass of an attended product on blocks of rows.
struct AttendedPass {
    private let device: CPUBackend
    private let o: AttendedOperands
    private let blocks: RowBlocks
    private let product: RowProduct
    /// For each worker what is multiplied, and what comes out where the caller does not want it.
    private let memory: [(attended: RowOperand, branch: Storage)]

    init(_ device: CPUBackend, _ o: AttendedOperands, keepsBranch: Bool, _ blocks: RowBlocks) {
        (self.device, self.o, self.blocks) = (device, o, blocks)
        product = RowProduct(o.project, .forward, blocks)
        let rows = blocks.rowLimit
        memory = (0..<blocks.workerCount).map { _ in
            (
                RowOperand(rows: rows, width: o.project.inputs, o.project.precision),
                Storage(byteCount: keepsBranch ? 0 : 4 * rows * blocks.layout.channels)
            )
        }
    }

    /// All of the block's rows; `branch` where that is kept.
    func callAsFunction(
        activated: Input, _ r: Input, branch: Output?, _ y: Output, block: Int, worker: Int
    ) {
        let (own, inputs) = (memory[worker], o.project.inputs)
        let count = blocks.rows(block).count
        let attended = own.attended(rows: count, width: inputs) { range, target in
            blocks.eachSegment(block, range) { _, sample, row, count in
                sfumato_channel_binary(
                    .init(BinaryOperation.multiply.rawValue), activated + row * inputs, o.factor[sample],
                    target + (row - range.lowerBound) * inputs, Int64(count), Int64(inputs))
            }
        }
        let result = branch ?? own.branch.floats()
        product(attended, result, rows: count, worker: worker)
        device.addGated(r, result, o.gate, y, blocks, block: block)
    }
}

extension CPUBackend {
    func attendedProduct(
        activated: Input, _ o: AttendedOperands, _ r: Input, branch: Output?, _ y: Output,
        layout: ChannelLayout
    ) {
        let (c, inputs) = (layout.channels, o.project.inputs)
        let blocks = RowBlocks(layout, width: c + inputs)
        let pass = AttendedPass(self, o, keepsBranch: branch != nil, blocks)
        blocks.performShared { worker, waiting in
            while let block = waiting.next() {
                let first = blocks.rows(block).lowerBound
                pass(
                    activated: activated + first * inputs, r + first * c,
                    branch: branch.map { $0 + first * c }, y + first * c, block: block, worker: worker)
            }
        }
    }

    func attendedFeedForward(
        activated: Input, _ o: AttendedOperands, _ r: Input, _ f: FeedForwardOperands, _ y: Output,
        layout: ChannelLayout
    ) {
        let (c, inputs) = (layout.channels, o.project.inputs)
        let blocks = RowBlocks(layout, width: 2 * c + max(inputs, f.widen.outputs))
        let attend = AttendedPass(self, o, keepsBranch: false, blocks)
        let feed = FeedForwardPass(self, f, nil, blocks)
        let between = (0..<blocks.workerCount).map { _ in Storage(byteCount: 4 * blocks.rowLimit * c) }
        blocks.performShared { worker, waiting in
            let mixed = between[worker].floats()
            while let block = waiting.next() {
                let first = blocks.rows(block).lowerBound
                attend(
                    activated: activated + first * inputs, r + first * c, branch: nil, mixed, block: block,
                    worker: worker)
                feed(mixed, y + first * c, block: block, worker: worker)
            }
        }
    }

    func attendedProductBackward(
        _ u: Input, _ o: AttendedOperands, branch: Input, _ dy: Input, _ gradients: AttendedGradients,
        layout: ChannelLayout
    ) {
        let (c, inputs) = (layout.channels, o.project.inputs)
        let blocks = RowBlocks(layout, width: c + 2 * inputs, minimum: 128)
        let product = RowProduct(o.project, .backwardData, blocks)
        let weights = WeightGradientSum(o.project, into: gradients.project.weight, blocks)
        let (factors, gates) = (blocks.sums(width: inputs), blocks.sums(width: 2 * c))
        blocks.divide { worker, waiting in
            let limit = blocks.rowLimit
            let dBranches = RowOperand(rows: limit, width: c, o.project.precision)
            let attended = RowOperand(rows: limit, width: inputs, o.project.precision)
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let (first, count) = (rows.lowerBound, rows.count)
                let dBranch = dBranches(rows: count, width: c) {
                    gateBackward(dy, branch, o.gate, $1, sums: gates, blocks, block: block, $0)
                }
                let dAttended = gradients.attended + first * inputs
                product(dBranch, dAttended, rows: count, worker: worker)
                let operand = attended(rows: count, width: inputs) { range, target in
                    blocks.eachSegment(block, range) { segment, sample, row, count in
                        sfumato_scaled_again(
                            u + (first + row) * inputs, o.isGELU ? 1 : 0, o.factor[sample],
                            dAttended + row * inputs, target + (row - range.lowerBound) * inputs,
                            factors.floats(offset: segment * inputs), Int64(count), Int64(inputs))
                    }
                }
                weights.add(dBranch, operand, rows: count, worker: worker)
            }
            withExtendedLifetime((dBranches, attended)) {}
        }
        weights.finish()
        blocks.reduce(
            factors, stride: inputs, width: inputs, isShared: o.factor.stride == 0, into: gradients.factor)
        reduceGate(gates, o.gate, gate: gradients.gate, bias: gradients.project.bias, blocks)
    }
}
