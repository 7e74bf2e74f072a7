import CKernels

extension CPUBackend {
    func normalizedProduct(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ project: PointwiseOperand, _ y: Output,
        layout: ChannelLayout
    ) {
        let (inputs, outputs) = (project.inputs, project.outputs)
        let blocks = RowBlocks(layout, width: inputs + outputs)
        let product = RowProduct(project, .forward, blocks)
        let memory = (0..<blocks.workerCount).map { _ in
            RowOperand(rows: blocks.rowLimit, width: inputs, project.precision)
        }
        blocks.performShared { worker, waiting in
            let own = memory[worker]
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let normal = own(rows: rows.count, width: inputs) {
                    normalize(
                        x + rows.lowerBound * inputs, norm, statistics, $1, blocks, block: block, $0)
                }
                product(normal, y + rows.lowerBound * outputs, rows: rows.count, worker: worker)
            }
        }
    }

    func normalizedProductBackward(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ project: PointwiseOperand, _ dy: Input,
        _ dx: Output, dScale: Output, dShift: Output, _ gradient: PointwiseGradient, layout: ChannelLayout
    ) {
        let (inputs, outputs) = (project.inputs, project.outputs)
        let blocks = RowBlocks(layout, width: inputs + outputs, minimum: 128)
        let product = RowProduct(project, .backwardData, blocks)
        let weights = WeightGradientSum(project, into: gradient.weight, blocks)
        let (biases, vectors) = (blocks.sums(width: outputs), blocks.sums(width: 2 * inputs))
        blocks.divide { worker, waiting in
            let dNormal = Storage(byteCount: 4 * blocks.rowLimit * inputs)
            let normals = RowOperand(
                rows: blocks.rowLimit, width: inputs, project.precision, sharing: dNormal)
            let dResults = RowOperand(
                rows: project.precision == .float32 ? 0 : blocks.rowLimit, width: outputs, project.precision)
            while let block = waiting.next() {
                let rows = blocks.rows(block)
                let (count, dResult) = (rows.count, dy + rows.lowerBound * outputs)
                sumSegments(dResult, channels: outputs, biases, blocks, block: block)
                let normal = normals(rows: count, width: inputs) {
                    normalizeAgain(x, norm, statistics, $1, blocks, block: block, $0)
                }
                let operand = dResults(rounding: dResult, count: count * outputs)
                weights.add(operand, normal, rows: count, worker: worker)
                product(operand, dNormal.floats(), rows: count, worker: worker)
                normalizeBackward(
                    x, norm, statistics, dNormal.floats(), residual: nil, dx, sums: vectors, blocks,
                    block: block)
            }
            withExtendedLifetime((normals, dResults, dNormal)) {}
        }
        weights.finish()
        blocks.reduce(biases, stride: outputs, width: outputs, isShared: true, into: gradient.bias)
        reduceNorm(vectors, norm, scale: dScale, shift: dShift, blocks)
    }
}

// Parts of what is done to a block.
extension CPUBackend {
    /// Normalises rows of a block, each segment by its sample's vectors.
    /// - Parameters:
    ///   - x: the block's rows; the statistics are of all rows.
    ///   - y: the range's rows.
    func normalize(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ y: Output, _ blocks: RowBlocks,
        block: Int, _ range: Range<Int>
    ) {
        let (c, first) = (blocks.layout.channels, blocks.rows(block).lowerBound)
        blocks.eachSegment(block, range) { _, sample, row, count in
            let (all, own) = (first + row, row - range.lowerBound)
            sfumato_layer_norm(
                x + row * c, norm.scale[sample], norm.shift[sample], y + own * c, statistics.mean + all,
                statistics.inverseDeviation + all, norm.epsilon, norm.base, Int64(count), Int64(c))
        }
    }

    /// The same from statistics found before.
    func normalizeAgain(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ y: Output, _ blocks: RowBlocks,
        block: Int, _ range: Range<Int>
    ) {
        let (c, first) = (blocks.layout.channels, blocks.rows(block).lowerBound)
        blocks.eachSegment(block, range) { _, sample, row, count in
            let (all, own) = (first + row, row - range.lowerBound)
            sfumato_layer_norm_again(
                x + all * c, statistics.mean + all, statistics.inverseDeviation + all, norm.scale[sample],
                norm.shift[sample], norm.base, y + own * c, Int64(count), Int64(c))
        }
    }

    /// dx of all rows from the gradient `dy` of a block's normalised rows.
    /// - Parameters:
    ///   - residual: of all rows, added to dx; nil for nothing.
    ///   - sums: [segments, 2, channels], of the gradients of scale and shift.
    func normalizeBackward(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ dy: Input, residual: Input?, _ dx: Output,
        sums: Storage, _ blocks: RowBlocks, block: Int
    ) {
        let (c, first) = (blocks.layout.channels, blocks.rows(block).lowerBound)
        blocks.eachSegment(block) { segment, sample, row, count in
            let (all, sum) = (first + row, sums.floats(offset: 2 * segment * c))
            sfumato_layer_norm_backward(
                x + all * c, norm.scale[sample], dy + row * c, statistics.mean + all,
                statistics.inverseDeviation + all, dx + all * c, sum, sum + c, norm.base,
                residual.map { $0 + all * c }, Int64(count), Int64(c))
        }
    }

    /// The gradients of a normalisation's vectors from the sums of its segments.
    func reduceNorm(_ sums: Storage, _ norm: RowNorm, scale: Output, shift: Output, _ blocks: RowBlocks) {
        blocks.reducePairs(
            sums, width: blocks.layout.channels, (scale, norm.scale.stride == 0),
            (shift, norm.shift.stride == 0))
    }

    /// Adds the sums of a block's rows to those of its segments.
    func sumSegments(_ x: Input, channels: Int, _ sums: Storage, _ blocks: RowBlocks, block: Int) {
        blocks.eachSegment(block) { segment, _, row, count in
            sfumato_sum_rows(
                x + row * channels, nil, sums.floats(offset: segment * channels), Int64(count),
                Int64(channels))
        }
    }

    /// y = r + gate·branch of a block's rows.
    func addGated(
        _ r: Input, _ branch: Input, _ gate: RowVectors, _ y: Output, _ blocks: RowBlocks, block: Int
    ) {
        let c = blocks.layout.channels
        blocks.eachSegment(block) { _, sample, row, count in
            sfumato_channel_scale_add(
                r + row * c, gate[sample], branch + row * c, y + row * c, Int64(count), Int64(c))
        }
    }

    /// The gradient of a gated branch on rows of a block.
    /// - Parameters:
    ///   - dBranch: the range's rows.
    ///   - sums: [segments, 2, channels], of the gradients of the gate and of a bias within the branch.
    func gateBackward(
        _ dy: Input, _ branch: Input, _ gate: RowVectors, _ dBranch: Output, sums: Storage,
        _ blocks: RowBlocks, block: Int, _ range: Range<Int>
    ) {
        let (c, first) = (blocks.layout.channels, blocks.rows(block).lowerBound)
        blocks.eachSegment(block, range) { segment, sample, row, count in
            let (all, own) = ((first + row) * c, (row - range.lowerBound) * c)
            let sum = sums.floats(offset: 2 * segment * c)
            sfumato_gated_residual_backward(
                dy + all, branch + all, gate[sample], dBranch + own, sum, sum + c, Int64(count), Int64(c))
        }
    }

    /// The gradients of a gate's vectors and of the bias behind it from the sums of the segments.
    func reduceGate(
        _ sums: Storage, _ gate: RowVectors, gate dGate: Output, bias: Output, _ blocks: RowBlocks
    ) {
        blocks.reducePairs(
            sums, width: blocks.layout.channels, (dGate, gate.stride == 0), (bias, true))
    }
}
