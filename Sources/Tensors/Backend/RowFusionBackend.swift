/// A vector of channels for each sample, or one for all of them.
struct RowVectors {
    var base: Input
    /// Distance of a sample's vector from the one before; 0 where all share one.
    var stride: Int

    subscript(sample: Int) -> Input { base + sample * stride }
}

/// Normalisation of rows: x̂·(base + scale) + shift.
struct RowNorm {
    var scale: RowVectors
    var shift: RowVectors
    var base: Float
    var epsilon: Float
}

/// What a normalisation found in each row, kept for the backward pass: both [samples·rows].
struct RowStatistics {
    var mean: Output
    var inverseDeviation: Output
}

/// A product of rows with the weights `[outputs, inputs]` of a pointwise convolution.
struct PointwiseOperand {
    var weight: WeightBuffer
    var bias: Input?
    var inputs: Int
    var outputs: Int
    var precision: ProductPrecision
}

/// Where the gradients of a pointwise convolution go; `bias` also where there is none.
struct PointwiseGradient {
    var weight: Output
    var bias: Output
}

/// A gated feed-forward on rows: r + gate·(narrow·f(widen·norm(x))).
struct FeedForwardOperands {
    var norm: RowNorm
    var widen: PointwiseOperand
    /// `.gelu` or `.simpleGate`.
    var activation: ConvolutionActivation
    var narrow: PointwiseOperand
    var gate: RowVectors
    var statistics: RowStatistics
}

/// What the backward pass of a feed-forward needs: results of `widen` before the activation, and of `narrow`.
struct FeedForwardRecord {
    var hidden: Output
    var branch: Output
}

/// Where the gradients of a feed-forward's parameters and vectors go, vectors as they lie in its operands.
struct FeedForwardGradients {
    var scale: Output
    var shift: Output
    var widen: PointwiseGradient
    var narrow: PointwiseGradient
    var gate: Output
}

/// A product whose inputs are activated and rescaled on the way in and whose results are gated on the way out:
/// r + gate·(W·(factor·f(u)) + b).
struct AttendedOperands {
    /// Whether f is the GELU; else u is taken as it is.
    var isGELU: Bool
    var factor: RowVectors
    var project: PointwiseOperand
    var gate: RowVectors
}

/// Where the gradients of an attended product go. `attended` [samples·rows, inputs] is that of factor·f(u).
struct AttendedGradients {
    var attended: Output
    var factor: Output
    var project: PointwiseGradient
    var gate: Output
}

/// Pointwise convolutions with what stands around them, in one pass over memory: a device works on blocks of rows that
/// stay in its caches from the first operation to the last.
protocol RowFusionBackend {
    /// y = W·norm(x) + b
    func normalizedProduct(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ project: PointwiseOperand, _ y: Output,
        layout: ChannelLayout)
    func normalizedProductBackward(
        _ x: Input, _ norm: RowNorm, _ statistics: RowStatistics, _ project: PointwiseOperand, _ dy: Input,
        _ dx: Output, dScale: Output, dShift: Output, _ gradient: PointwiseGradient, layout: ChannelLayout)

    /// - Parameter record: nil where there will be no backward pass.
    func feedForward(
        _ x: Input, _ operands: FeedForwardOperands, _ record: FeedForwardRecord?, _ y: Output,
        layout: ChannelLayout)
    func feedForwardBackward(
        _ x: Input, _ operands: FeedForwardOperands, _ record: FeedForwardRecord, _ dy: Input, _ dx: Output,
        _ gradients: FeedForwardGradients, layout: ChannelLayout)

    /// Rows of `u` have `project.inputs` channels, those of `r` and `y` the layout's.
    /// - Parameters:
    ///   - activated: f(u).
    ///   - branch: the product itself; nil where there will be no backward pass.
    func attendedProduct(
        activated: Input, _ operands: AttendedOperands, _ r: Input, branch: Output?, _ y: Output,
        layout: ChannelLayout)
    /// The attended product and a feed-forward behind it, where there will be no backward pass.
    func attendedFeedForward(
        activated: Input, _ attended: AttendedOperands, _ r: Input, _ feed: FeedForwardOperands, _ y: Output,
        layout: ChannelLayout)
    func attendedProductBackward(
        _ u: Input, _ operands: AttendedOperands, branch: Input, _ dy: Input, _ gradients: AttendedGradients,
        layout: ChannelLayout)
}
