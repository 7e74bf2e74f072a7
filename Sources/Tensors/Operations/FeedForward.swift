// A block's feed-forward with its norm and its residual.

/// What a feed-forward adds to its input x: gate·narrow(f(widen(norm(x)))).
public struct GatedFeedForward {
    let norm: RowNormalization
    let widen: PointwiseWeights
    let activation: ConvolutionActivation
    let narrow: PointwiseWeights
    let gate: Tensor

    /// - Parameters:
    ///   - activation: `.gelu`, or `.simpleGate`, which halves the channels.
    ///   - gate: `[N, C]`, or `[C]` for all samples.
    public init(
        normalizedBy norm: RowNormalization, widen: PointwiseWeights, activation: ConvolutionActivation,
        narrow: PointwiseWeights, gate: Tensor
    ) {
        (self.norm, self.widen, self.activation) = (norm, widen, activation)
        (self.narrow, self.gate) = (narrow, gate)
    }

    /// Whether the fused operations know these weights.
    var isFusible: Bool {
        widen.isFusible && narrow.isFusible
            && widen.weight.productPrecision == narrow.weight.productPrecision
    }

    /// What depends on x, and then its weights and vectors.
    var operands: [Tensor] { [norm.shift, norm.scale] + widen.operands + narrow.operands + [gate] }

    func check(_ layout: ChannelLayout) {
        precondition(
            norm.scale.isVectors(of: layout) && norm.shift.shape == norm.scale.shape
                && gate.isVectors(of: layout) && widen.inputs == layout.channels
                && narrow.outputs == layout.channels
                && widen.outputs == narrow.inputs * (activation == .simpleGate ? 2 : 1)
                && (activation == .gelu || activation == .simpleGate),
            "feed-forward of \(layout.channels) channels: \(norm.scale.shape), \(widen.weight.shape), \(activation), \(narrow.weight.shape), \(gate.shape)"
        )
    }

    /// - Parameter statistics: of the rows, written by the forward pass.
    func raw(_ statistics: RowMoments) -> FeedForwardOperands {
        FeedForwardOperands(
            norm: norm.operand, widen: widen.operand, activation: activation, narrow: narrow.operand,
            gate: gate.rowVectors, statistics: statistics.operand)
    }

    var detached: GatedFeedForward {
        GatedFeedForward(
            normalizedBy: norm.detached, widen: widen.detached, activation: activation,
            narrow: narrow.detached, gate: gate.detached)
    }
}

extension Tensor {
    /// self + gate·narrow(f(widen(norm(self)))): a block's feed-forward with its residual, `[N, H, W, C]`.
    /// - Parameter feed: nil for none.
    public func addingFeedForward(_ feed: GatedFeedForward?) -> Tensor {
        guard let feed else { return self }
        guard feed.isFusible, elementCount > 0 else {
            let (widen, narrow) = (feed.widen, feed.narrow)
            let (norm, activation, gate) = (feed.norm, feed.activation, feed.gate)
            let hidden = norm(self).convolved(
                with: widen.weight, bias: widen.bias, activation: activation)
            return addingBranch(
                hidden.convolved(with: narrow.weight, bias: narrow.bias), gate: gate)
        }
        precondition(shape.rank == 4, "feed-forward of \(shape)")
        feed.check(ChannelLayout(shape))
        let operands = [self] + feed.operands
        let step = FeedForwardStep(x: detached, feed.detached)
        guard operands.contains(where: \.isTracked) else { return step.result(recording: nil) }
        let record = FeedForwardStep.Kept(
            hidden: .uninitialized([shape.rows, feed.widen.outputs]), branch: .uninitialized(shape))
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
    let feed: GatedFeedForward
    private let statistics: RowMoments

    init(x: Tensor, _ feed: GatedFeedForward) {
        (self.x, self.feed) = (x, feed)
        statistics = RowMoments(rows: x.shape.rows)
    }

    func result(recording kept: Kept?) -> Tensor {
        let y = Tensor.uninitialized(x.shape)
        backend.feedForward(
            x.base, feed.raw(statistics), kept?.record, y.mutableBase, layout: ChannelLayout(x.shape))
        return y
    }

    /// Of x, shift, scale, the weights and the gate.
    func gradients(_ dy: Tensor, _ kept: Kept) -> [Tensor] {
        let dx = Tensor.uninitialized(x.shape)
        let vectors = (0..<2).map { _ in Tensor.uninitialized(feed.norm.scale.shape) }
        let dGate = Tensor.uninitialized(feed.gate.shape)
        let widened = feed.widen.gradients()
        let narrowed = feed.narrow.gradients()
        backend.feedForwardBackward(
            x.base, feed.raw(statistics), kept.record, dy.base, dx.mutableBase,
            FeedForwardGradients(
                scale: vectors[1].mutableBase, shift: vectors[0].mutableBase, widen: widened.operand,
                narrow: narrowed.operand, gate: dGate.mutableBase), layout: ChannelLayout(x.shape))
        return withExtendedLifetime((widened, narrowed)) {
            [dx] + vectors + widened.results + narrowed.results + [dGate]
        }
    }
}
