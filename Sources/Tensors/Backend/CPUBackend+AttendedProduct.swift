import CKernels

extension CPUBackend {
    func attendedProduct(
        activated: Input, _ o: AttendedOperands, _ r: Input, branch: Output?, _ y: Output,
        layout: ChannelLayout
    ) {
        let (c, inputs) = (layout.channels, o.project.inputs)
        let blocks = RowBlocks(layout, width: c + inputs)
        let product = RowProduct(o.project, .forward, blocks)
        let memory = (0..<blocks.workerCount).map { _ in
            (
                attended: RowOperand(rows: blocks.rowLimit, width: inputs, o.project.precision),
                branch: Storage(byteCount: branch == nil ? 4 * blocks.rowLimit * c : 0)
            )
        }
        blocks.performShared { worker, waiting in
            let own = memory[worker]
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let (first, count) = (rows.lowerBound, rows.count)
                let attended = own.attended(rows: count, width: inputs) { range, target in
                    blocks.eachSegment(block, range) { _, sample, row, count in
                        sfumato_channel_binary(
                            .init(BinaryOperation.multiply.rawValue), activated + (first + row) * inputs,
                            o.factor[sample], target + (row - range.lowerBound) * inputs, Int64(count),
                            Int64(inputs))
                    }
                }
                let result = branch.map { $0 + first * c } ?? own.branch.floats()
                product(attended, result, rows: count, worker: worker)
                addGated(r, result, o.gate, y, blocks, block: block)
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
