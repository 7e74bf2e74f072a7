// A block's feed-forward with its norm and its residual.

extension Tensor {
    /// self + gate·narrow(f(widen(norm(self)))): a block's feed-forward with its residual.
    ///
    /// - Parameters:
    ///   - activation: `.gelu`, or `.simpleGate`, which halves the channels.
    ///   - gate: `[N, C]`, or `[C]` for all samples.
    public func addingFeedForward(
        normalizedBy norm: RowNormalization, widen: PointwiseWeights, activation: ConvolutionActivation,
        narrow: PointwiseWeights, gate: Tensor
    ) -> Tensor {
        guard widen.isFusible, narrow.isFusible, elementCount > 0,
            widen.weight.productPrecision == narrow.weight.productPrecision
        else {
            let hidden = norm(self).convolved(
                with: widen.weight, bias: widen.bias, activation: activation)
            return addingBranch(
                hidden.convolved(with: narrow.weight, bias: narrow.bias), gate: gate)
        }
        let layout = ChannelLayout(shape)
        precondition(
            shape.rank == 4 && norm.scale.isVectors(of: layout) && norm.shift.shape == norm.scale.shape
                && gate.isVectors(of: layout) && widen.inputs == layout.channels
                && narrow.outputs == layout.channels
                && widen.outputs == narrow.inputs * (activation == .simpleGate ? 2 : 1)
                && (activation == .gelu || activation == .simpleGate),
            "feed-forward of \(shape): \(norm.scale.shape), \(widen.weight.shape), \(activation), \(narrow.weight.shape), \(gate.shape)"
        )
        let operands = [self, norm.shift, norm.scale] + widen.operands + narrow.operands + [gate]
        let step = FeedForwardStep(x: detached, norm, widen, activation, narrow, gate)
        guard operands.contains(where: \.isTracked) else { return step.result(recording: nil) }
        let record = FeedForwardStep.Kept(
            hidden: .uninitialized([shape.rows, widen.outputs]), branch: .uninitialized(shape))
        return step.result(recording: record).recorded(operands) { gradient, _ in
            step.gradients(gradient, record)
        }
    }
}

/// A feed-forward on one input.
private struct FeedForwardStep {
    /// What the backward pass needs.
    struct Kept {
        let hidden: Tensor
        let branch: Tensor

        var record: FeedForwardRecord {
            FeedForwardRecord(hidden: hidden.mutableBase, branch: branch.mutableBase)
        }
    }

    let x: Tensor
    let norm: RowNormalization
    /// Of the rows, written by the forward pass.
    private let statistics: RowMoments
    let widen: PointwiseWeights
    let activation: ConvolutionActivation
    let narrow: PointwiseWeights
    let gate: Tensor

    init(
        x: Tensor, _ norm: RowNormalization, _ widen: PointwiseWeights, _ activation: ConvolutionActivation,
        _ narrow: PointwiseWeights, _ gate: Tensor
    ) {
        (self.x, self.norm, self.widen) = (x, norm.detached, widen.detached)
        statistics = RowMoments(rows: x.shape.rows)
        (self.activation, self.narrow, self.gate) = (activation, narrow.detached, gate.detached)
    }

    private var operands: FeedForwardOperands {
        FeedForwardOperands(
            norm: norm.operand, widen: widen.operand, activation: activation, narrow: narrow.operand,
            gate: gate.rowVectors, statistics: statistics.operand)
    }

    func result(recording kept: Kept?) -> Tensor {
        let y = Tensor.uninitialized(x.shape)
        backend.feedForward(
            x.base, operands, kept?.record, y.mutableBase, layout: ChannelLayout(x.shape))
        return y
    }

    /// Of x, shift, scale, the weights and the gate.
    func gradients(_ dy: Tensor, _ kept: Kept) -> [Tensor] {
        let dx = Tensor.uninitialized(x.shape)
        let vectors = (0..<2).map { _ in Tensor.uninitialized(norm.scale.shape) }
        let dGate = Tensor.uninitialized(gate.shape)
        let widened = widen.gradients()
        let narrowed = narrow.gradients()
        backend.feedForwardBackward(
            x.base, operands, kept.record, dy.base, dx.mutableBase,
            FeedForwardGradients(
                scale: vectors[1].mutableBase, shift: vectors[0].mutableBase, widen: widened.operand,
                narrow: narrowed.operand, gate: dGate.mutableBase), layout: ChannelLayout(x.shape))
        return withExtendedLifetime((widened, narrowed)) {
            [dx] + vectors + widened.results + narrowed.results + [dGate]
        }
    }
}
