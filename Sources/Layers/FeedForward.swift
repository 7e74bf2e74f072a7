import Tensors

// Pointwise convolutions of a block with what stands around them.

extension Convolution {
    private var isPointwise: Bool {
        stride == 1 && padding == 0 && groups == 1 && weight.shape.extents.suffix(2) == [1, 1]
    }

    /// As weights of a pointwise convolution; nil where this is none, or where each sample has weights of its own.
    public func pointwise(tuning: Tensor? = nil) -> PointwiseWeights? {
        guard isPointwise, let applied = applied(tuning: tuning) else { return nil }
        return PointwiseWeights(weight: applied.weight, bias: applied.bias)
    }

    /// As weights of a depthwise 3×3 convolution that keeps the size; nil where this is none.
    public func depthwise(tuning: Tensor? = nil) -> (weight: Tensor, bias: Tensor?)? {
        guard stride == 1, padding == 1, dilation == 1, groups == weight.shape[0],
            weight.shape.extents.suffix(3) == [1, 3, 3]
        else { return nil }
        return applied(tuning: tuning)
    }

    /// As what makes the factors of a channel attention from the channels' means; nil as for `pointwise`.
    public func channelAttention(isSigmoid: Bool, tuning: Tensor? = nil) -> ChannelAttention? {
        guard isPointwise, let applied = applied(tuning: tuning) else { return nil }
        let (outputs, inputs) = (applied.weight.shape[0], applied.weight.shape[1])
        return ChannelAttention(
            weight: applied.weight.reshaped([outputs, inputs]), bias: applied.bias, isSigmoid: isSigmoid)
    }

    /// This convolution of the normalised input.
    public func callAsFunction(
        _ x: Tensor, normalizedBy norm: RowNormalization, tuning: Tensor? = nil
    ) -> Tensor {
        guard let weights = pointwise(tuning: tuning) else { return self(norm(x), tuning: tuning) }
        return x.convolved(normalizedBy: norm, with: weights)
    }
}

/// A block's feed-forward with its residual: x + gate·narrow(f(widen(norm(x)))), the convolutions pointwise.
public struct FeedForward: Sendable {
    public let widen: Convolution
    public let narrow: Convolution
    public let activation: ConvolutionActivation

    /// - Parameter activation: `.gelu`, or `.simpleGate`, which halves the channels.
    public init(widen: Convolution, activation: ConvolutionActivation, narrow: Convolution) {
        (self.widen, self.activation, self.narrow) = (widen, activation, narrow)
    }

    /// - Parameters:
    ///   - gate: `[N, C]`, or `[C]` for all samples.
    ///   - tuning: the user's parameters of tunable kernels.
    public func adding(
        to x: Tensor, normalizedBy norm: RowNormalization, gate: Tensor, tuning: Tensor? = nil
    ) -> Tensor {
        if let layers = layers(normalizedBy: norm, gate: gate, tuning: tuning) {
            return x.addingFeedForward(layers)
        }
        let hidden = widen(norm(x), tuning: tuning, activation: activation)
        return x.addingBranch(narrow(hidden, tuning: tuning), gate: gate)
    }

    /// What `adding` adds, for operations that do it together with what comes before; nil where each sample has weights of
    /// its own.
    public func layers(
        normalizedBy norm: RowNormalization, gate: Tensor, tuning: Tensor? = nil
    ) -> GatedFeedForward? {
        guard let widen = widen.pointwise(tuning: tuning), let narrow = narrow.pointwise(tuning: tuning)
        else { return nil }
        return GatedFeedForward(
            normalizedBy: norm, widen: widen, activation: activation, narrow: narrow, gate: gate)
    }
}
