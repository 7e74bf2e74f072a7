// The second half of a block's mixer: channel attention, a pointwise convolution and the residual.

extension Tensor {
    /// self + gate·(W·(a·u) + b), u the activated depthwise 3×3 convolution of x and a the factors made of the means of
    /// u: a mixer but for its first layer, with its residual.
    ///
    /// - Parameters:
    ///   - x: `[N, H, W, I]`.
    ///   - depthwise: weight `[I, 1, 3, 3]`, bias `[I]`.
    ///   - activation: `.gelu`, or `.simpleGate`, which halves the channels.
    ///   - gate: `[N, C]`, or `[C]` for all samples.
    public func addingAttended(
        _ x: Tensor, depthwise: (weight: Tensor, bias: Tensor?), activation: ConvolutionActivation,
        attention: ChannelAttention, project: PointwiseWeights, gate: Tensor
    ) -> Tensor {
        let operands =
            [self, x, depthwise.weight, attention.weight]
            + [depthwise.bias, attention.bias].compactMap { $0 }
            + project.operands + [gate]
        let geometry = ConvolutionGeometry(
            batch: x.shape[0], height: x.shape[1], width: x.shape[2], inputChannels: x.shape[3],
            outputChannels: x.shape[3], kernelHeight: 3, kernelWidth: 3, stride: 1, padding: 1, dilation: 1,
            groups: x.shape[3])
        let isFusible =
            activation == .gelu ? geometry.suitsDepthwise : geometry.suitsDepthwiseGate
        guard project.isFusible, elementCount > 0, isFusible,
            depthwise.weight.shape == [x.shape[3], 1, 3, 3], !operands.contains(where: \.isTracked)
        else {
            let mixed = x.convolved(
                with: depthwise.weight, bias: depthwise.bias, padding: 1, groups: x.shape[3],
                activation: activation == .simpleGate ? .simpleGate : .none)
            return addingAttended(
                mixed, isGELU: activation == .gelu, attention: attention, project: project, gate: gate)
        }
        let channels = activation == .simpleGate ? x.shape[3] / 2 : x.shape[3]
        let activated = Tensor.uninitialized([x.shape[0], x.shape[1], x.shape[2], channels])
        let sums = Tensor.uninitialized([x.shape[0], channels])
        backend.depthwiseConvolutionWithSums(
            geometry, x.base, weight: depthwise.weight.weightBuffer, bias: depthwise.bias?.base, activation,
            activated.mutableBase, sums: sums.mutableBase)
        let step = AttendedStep(activated, sums: sums, attention, project, gate)
        return step.result(on: self, branch: nil)
    }

    /// self + gate·(W·(a·u) + b) with u = GELU(x) or x, and the factors a made of the means of u.
    ///
    /// - Parameters:
    ///   - x: `[N, H, W, I]`.
    ///   - isGELU: whether u is the GELU of x.
    ///   - gate: `[N, C]`, or `[C]` for all samples.
    public func addingAttended(
        _ x: Tensor, isGELU: Bool, attention: ChannelAttention, project: PointwiseWeights, gate: Tensor
    ) -> Tensor {
        let inputs = ChannelLayout(x.shape)
        guard project.isFusible, elementCount > 0 else {
            let u = isGELU ? gelu(x) : x
            let branch = (u * attention.factors(u.spatialMean())).convolved(
                with: project.weight, bias: project.bias)
            return addingBranch(branch, gate: gate)
        }
        let layout = ChannelLayout(shape)
        precondition(
            shape.rank == 4 && inputs.samples == layout.samples && inputs.rows == layout.rows
                && gate.isVectors(of: layout) && project.inputs == inputs.channels
                && project.outputs == layout.channels,
            "attended product of \(x.shape) on \(shape): \(project.weight.shape), \(gate.shape)")
        let operands =
            [self, x, attention.weight] + (attention.bias.map { [$0] } ?? []) + project.operands + [gate]
        let isRecorded = operands.contains(where: \.isTracked)
        let step = AttendedStep(x.detached, isGELU: isGELU, attention, project, gate, isRecorded: isRecorded)
        let branch = isRecorded ? Tensor.uninitialized(shape) : nil
        let y = step.result(on: detached, branch: branch)
        guard let branch else { return y }
        return y.recorded(operands) { [step = step.withoutActivated] gradient, _ in
            [gradient] + step.gradients(gradient, branch: branch)
        }
    }
}

/// The second half of a mixer on one input.
private struct AttendedStep {
    let x: Tensor
    let isGELU: Bool
    /// The means of u and what is made of them, recorded for themselves where there will be a backward pass.
    let means: Tensor
    let weight: Tensor
    let bias: Tensor?
    let factors: Tensor
    let project: PointwiseWeights
    let gate: Tensor
    /// u, where it is not x itself.
    private let activated: Tensor?

    init(
        _ x: Tensor, isGELU: Bool, _ attention: ChannelAttention, _ project: PointwiseWeights, _ gate: Tensor,
        isRecorded: Bool
    ) {
        (self.x, self.isGELU, self.project, self.gate) = (x, isGELU, project.detached, gate.detached)
        let layout = ChannelLayout(x.shape)
        let sum = Tensor.uninitialized([layout.samples, layout.channels])
        activated = isGELU ? .uninitialized(x.shape) : nil
        if let activated {
            backend.geluSumRows(x.base, activated.mutableBase, sum.mutableBase, layout: layout)
        } else {
            backend.sumRows(x.base, nil, sum.mutableBase, layout: layout)
        }
        let mean = sum * (1 / Float(max(1, layout.rows)))
        let (w, b) = (attention.weight.detached, attention.bias?.detached)
        (means, weight, bias) = isRecorded ? (mean.variable, w.variable, b?.variable) : (mean, w, b)
        factors = ChannelAttention(weight: weight, bias: bias, isSigmoid: attention.isSigmoid).factors(means)
    }

    /// From u and its sums over the pixels of each sample, where nothing is recorded.
    init(
        _ activated: Tensor, sums: Tensor, _ attention: ChannelAttention, _ project: PointwiseWeights,
        _ gate: Tensor
    ) {
        (x, isGELU, self.project, self.gate, self.activated) = (activated, false, project, gate, nil)
        means = sums * (1 / Float(max(1, ChannelLayout(activated.shape).rows)))
        (weight, bias) = (attention.weight, attention.bias)
        factors = attention.factors(means)
    }

    private init(_ other: AttendedStep) {
        (x, isGELU, means, weight, bias) = (other.x, other.isGELU, other.means, other.weight, other.bias)
        (factors, project, gate, activated) = (other.factors, other.project, other.gate, nil)
    }

    /// What the backward pass needs: u is made again there, which costs less than keeping it.
    var withoutActivated: AttendedStep { AttendedStep(self) }

    private var operands: AttendedOperands {
        AttendedOperands(
            isGELU: isGELU, factor: factors.rowVectors, project: project.operand, gate: gate.rowVectors)
    }

    func result(on residual: Tensor, branch: Tensor?) -> Tensor {
        let y = Tensor.uninitialized(residual.shape)
        backend.attendedProduct(
            activated: (activated ?? x).base, operands, residual.base, branch: branch?.mutableBase,
            y.mutableBase, layout: ChannelLayout(residual.shape))
        return y
    }

    /// Of x, the attention's weights, the product's and the gate.
    func gradients(_ dy: Tensor, branch: Tensor) -> [Tensor?] {
        let layout = ChannelLayout(x.shape)
        let dAttended = Tensor.uninitialized(x.shape)
        let (dFactors, dGate) = (
            Tensor.uninitialized(factors.shape), Tensor.uninitialized(gate.shape)
        )
        let projected = project.gradients()
        backend.attendedProductBackward(
            x.base, operands, branch: branch.base, dy.base,
            AttendedGradients(
                attended: dAttended.mutableBase, factor: dFactors.mutableBase, project: projected.operand,
                gate: dGate.mutableBase), layout: ChannelLayout(dy.shape))
        let inner = factors.gradients(cotangent: dFactors)
        let dMean =
            (inner[means] ?? .zeros(factors.shape)) * (1 / Float(max(1, layout.rows)))
        // du = a·dv + the mean's share, in the memory of dv.
        if isGELU {
            backend.geluScaleBackward(
                x.base, dAttended.base, scale: factors.base, shift: dMean.base, dAttended.mutableBase,
                layout: layout)
        } else {
            backend.channelBinary(
                .multiply, dAttended.base, factors.base, dAttended.mutableBase, layout: layout,
                perSample: true)
            backend.channelBinary(
                .add, dAttended.base, dMean.base, dAttended.mutableBase, layout: layout, perSample: true)
        }
        return withExtendedLifetime(projected) {
            [dAttended, inner[weight]] + (bias.map { [inner[$0]] } ?? []) + projected.results + [dGate]
        }
    }
}
