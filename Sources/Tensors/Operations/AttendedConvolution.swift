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
    ///   - feed: the feed-forward behind it; nil for none.
    public func addingAttended(
        _ x: Tensor, depthwise: (weight: Tensor, bias: Tensor?), activation: ConvolutionActivation,
        attention: ChannelAttention, project: PointwiseWeights, gate: Tensor, feed: GatedFeedForward? = nil
    ) -> Tensor {
        let operands =
            [self, x, depthwise.weight, attention.weight]
            + [depthwise.bias, attention.bias].compactMap { $0 }
            + project.operands + [gate] + (feed?.operands ?? [])
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
                mixed, isGELU: activation == .gelu, attention: attention, project: project, gate: gate
            ).addingFeedForward(feed)
        }
        let channels = activation == .simpleGate ? x.shape[3] / 2 : x.shape[3]
        let activated = Tensor.uninitialized([x.shape[0], x.shape[1], x.shape[2], channels])
        let sums = Tensor.uninitialized([x.shape[0], channels])
        backend.depthwiseConvolutionWithSums(
            geometry, x.base, weight: depthwise.weight.weightBuffer, bias: depthwise.bias?.base, activation,
            activated.mutableBase, sums: sums.mutableBase)
        let step = AttendedStep(
            activated, isGELU: false, sums: sums, attention, project, gate, isRecorded: false)
        guard let feed, feed.isFusible else {
            return step.result(of: activated, on: self, branch: nil).addingFeedForward(feed)
        }
        return step.result(of: activated, on: self, feed: feed)
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
        let (activated, sums) = x.detached.activatedWithSums(isGELU: isGELU)
        let step = AttendedStep(
            x.detached, isGELU: isGELU, sums: sums, attention, project, gate, isRecorded: isRecorded)
        let branch = isRecorded ? Tensor.uninitialized(shape) : nil
        let y = step.result(of: activated, on: detached, branch: branch)
        guard let branch else { return y }
        // The activated x is made again in the backward pass, which costs less than keeping it.
        return y.recorded(operands) { gradient, _ in
            [gradient] + step.gradients(gradient, branch: branch)
        }
    }

    /// The GELU of this or this itself, and its sums over the pixels of each sample, `[N, C]`.
    fileprivate func activatedWithSums(isGELU: Bool) -> (activated: Tensor, sums: Tensor) {
        let layout = ChannelLayout(shape)
        let sums = Tensor.uninitialized([layout.samples, layout.channels])
        guard isGELU else {
            backend.sumRows(base, nil, sums.mutableBase, layout: layout)
            return (self, sums)
        }
        let activated = Tensor.uninitialized(shape)
        backend.geluSumRows(base, activated.mutableBase, sums.mutableBase, layout: layout)
        return (activated, sums)
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

    /// - Parameter sums: of u over the pixels of each sample.
    init(
        _ x: Tensor, isGELU: Bool, sums: Tensor, _ attention: ChannelAttention, _ project: PointwiseWeights,
        _ gate: Tensor, isRecorded: Bool
    ) {
        (self.x, self.isGELU, self.project, self.gate) = (x, isGELU, project.detached, gate.detached)
        let mean = sums * (1 / Float(max(1, ChannelLayout(x.shape).rows)))
        let (w, b) = (attention.weight.detached, attention.bias?.detached)
        (means, weight, bias) = isRecorded ? (mean.variable, w.variable, b?.variable) : (mean, w, b)
        factors = ChannelAttention(weight: weight, bias: bias, isSigmoid: attention.isSigmoid).factors(means)
    }

    private var operands: AttendedOperands {
        AttendedOperands(
            isGELU: isGELU, factor: factors.rowVectors, project: project.operand, gate: gate.rowVectors)
    }

    /// - Parameter activated: u.
    func result(of activated: Tensor, on residual: Tensor, branch: Tensor?) -> Tensor {
        let y = Tensor.uninitialized(residual.shape)
        backend.attendedProduct(
            activated: activated.base, operands, residual.base, branch: branch?.mutableBase,
            y.mutableBase, layout: ChannelLayout(residual.shape))
        return y
    }

    /// With a feed-forward behind it.
    func result(of activated: Tensor, on residual: Tensor, feed: GatedFeedForward) -> Tensor {
        let layout = ChannelLayout(residual.shape)
        feed.check(layout)
        let (y, statistics) = (
            Tensor.uninitialized(residual.shape), RowMoments(rows: residual.shape.rows)
        )
        backend.attendedFeedForward(
            activated: activated.base, operands, residual.base, feed.raw(statistics), y.mutableBase,
            layout: layout)
        return withExtendedLifetime(statistics) { y }
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
