// What stands around the pointwise convolutions of a block, for operations that do it all in one pass over memory forward and
// one backward, and keep only what the backward pass cannot make again.

/// LayerNorm over channels followed by factors and shifts: x̂·(base + scale) + shift.
public struct RowNormalization {
    let shift: Tensor
    let scale: Tensor
    let base: Float
    let epsilon: Float

    /// Modulation by a condition: x̂·(1 + scale) + shift, both `[N, C]`.
    public init(shift: Tensor, scale: Tensor, epsilon: Float) {
        (self.shift, self.scale, base, self.epsilon) = (shift, scale, 1, epsilon)
    }

    /// Affine parameters: x̂·weight + bias, both `[C]`.
    public init(weight: Tensor, bias: Tensor, epsilon: Float) {
        (shift, scale, base, self.epsilon) = (bias, weight, 0, epsilon)
    }

    /// The normalised rows as a tensor.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let layout = ChannelLayout(x.shape)
        precondition(
            scale.isVectors(of: layout) && shift.shape == scale.shape,
            "layerNorm of \(x.shape) with shift \(shift.shape), scale \(scale.shape)")
        return x.layerNorm(
            shift: shift, scale: scale, scaleBase: base, epsilon: epsilon,
            layout: scale.shape.rank == 1 ? layout.flattened : layout)
    }

    var operand: RowNorm {
        RowNorm(scale: scale.rowVectors, shift: shift.rowVectors, base: base, epsilon: epsilon)
    }
}

/// A pointwise convolution: weight `[O, I, 1, 1]`, bias `[O]`.
public struct PointwiseWeights {
    let weight: Tensor
    let bias: Tensor?

    public init(weight: Tensor, bias: Tensor?) { (self.weight, self.bias) = (weight, bias) }

    var inputs: Int { weight.shape[1] }
    var outputs: Int { weight.shape[0] }
    var operands: [Tensor] { [weight] + (bias.map { [$0] } ?? []) }

    /// Whether the fused operations know these weights: not where integers take their place or inputs are watched.
    var isFusible: Bool {
        weight.productRole == nil && weight.shape.rank == 4
            && weight.shape[2] == 1 && weight.shape[3] == 1
            && (weight.productPrecision == .float32
                || ConvolutionGeometry(rows: 1, inputs: inputs, outputs: outputs).suitsBFloat16)
    }

    var operand: PointwiseOperand {
        PointwiseOperand(
            weight: weight.detached.weightBuffer, bias: bias?.base, inputs: inputs, outputs: outputs,
            precision: weight.productPrecision)
    }

    func gradients() -> PointwiseGradients {
        PointwiseGradients(
            weight: .uninitialized(weight.shape), bias: .uninitialized([outputs]), hasBias: bias != nil)
    }
}

/// Memory for the gradients of a pointwise convolution; that of the bias is written also where there is none.
struct PointwiseGradients {
    let weight: Tensor
    let bias: Tensor
    let hasBias: Bool

    var operand: PointwiseGradient {
        PointwiseGradient(weight: weight.mutableBase, bias: bias.mutableBase)
    }

    /// As they follow one another among the operands.
    var results: [Tensor] { hasBias ? [weight, bias] : [weight] }
}

/// Compact channel attention: factors made of the channels' means over all pixels of a sample.
public struct ChannelAttention {
    let weight: Tensor
    let bias: Tensor?
    let isSigmoid: Bool

    /// - Parameters:
    ///   - weight: `[C, C]`.
    ///   - bias: `[C]`.
    ///   - isSigmoid: σ(W·means + b) (DiCo, arXiv 2505.11196, section 3), else W·means + b (NAFNet, arXiv 2204.04676).
    public init(weight: Tensor, bias: Tensor?, isSigmoid: Bool) {
        (self.weight, self.bias, self.isSigmoid) = (weight, bias, isSigmoid)
    }

    /// `[N, C]` → `[N, C]`
    func factors(_ means: Tensor) -> Tensor {
        let inner = means.linear(weight, bias: bias)
        return isSigmoid ? sigmoid(inner) : inner
    }
}

extension Tensor {
    /// One vector for each sample, `[N, C]`, or for all, `[C]`.
    var rowVectors: RowVectors {
        RowVectors(base: base, stride: shape.rank == 1 ? 0 : shape.channels)
    }

    /// Whether this is a vector for each sample of `layout`, or one for all.
    func isVectors(of layout: ChannelLayout) -> Bool {
        shape == [layout.channels] || shape == [layout.samples, layout.channels]
    }

    /// self + gate·branch, one gate for each sample, `[N, C]`, or one for all, `[C]`.
    public func addingBranch(_ branch: Tensor, gate: Tensor) -> Tensor {
        gate.shape.rank == 1 ? addingScaled(branch, by: gate) : addingGated(branch, gate: gate)
    }
}

extension RowNormalization {
    var detached: RowNormalization {
        RowNormalization(shift: shift.detached, scale: scale.detached, base: base, epsilon: epsilon)
    }

    init(shift: Tensor, scale: Tensor, base: Float, epsilon: Float) {
        (self.shift, self.scale, self.base, self.epsilon) = (shift, scale, base, epsilon)
    }
}

extension PointwiseWeights {
    var detached: PointwiseWeights {
        PointwiseWeights(weight: weight.detached, bias: bias?.detached)
    }
}

/// Means and inverse deviations of rows.
struct RowMoments {
    let mean: Tensor
    let inverseDeviation: Tensor

    init(rows: Int) { (mean, inverseDeviation) = (.uninitialized([rows]), .uninitialized([rows])) }

    var operand: RowStatistics {
        RowStatistics(mean: mean.mutableBase, inverseDeviation: inverseDeviation.mutableBase)
    }
}
