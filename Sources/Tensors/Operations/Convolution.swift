// Convolution and its gradients.

extension Tensor {
    /// 2-D convolution (cross-correlation, as every framework means it).
    ///
    /// - Parameters:
    ///   - weight: `[O, I/groups, kh, kw]`, the published order.
    ///   - bias: `[O]` or nil.
    ///   - padding: zeros added on each of the four sides.
    ///   - activation: of the results, in the same pass over memory where nothing is recorded. In training a GELU is a
    ///     pass of its own, since its derivative needs what it was given, and so is the ReLU of a direct convolution,
    ///     which would hide a NaN.
    /// - Returns: `[N, H', W', O]`, H' = (H + 2·padding − dilation·(kh − 1) − 1)/stride + 1.
    public func convolved(
        with weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
        groups: Int = 1, activation: ConvolutionActivation = .none
    ) -> Tensor {
        precondition(
            shape.rank == 4 && weight.shape.rank == 4 && weight.shape[1] * groups == shape[3]
                && weight.shape[0] % groups == 0 && (bias.map { $0.shape == [weight.shape[0]] } ?? true),
            "convolution of \(shape) with weight \(weight.shape), bias \(bias?.shape.description ?? "none"), \(groups) groups"
        )
        let geometry = ConvolutionGeometry(
            batch: shape[0], height: shape[1], width: shape[2], inputChannels: shape[3],
            outputChannels: weight.shape[0], kernelHeight: weight.shape[2], kernelWidth: weight.shape[3],
            stride: stride, padding: padding, dilation: dilation, groups: groups)
        precondition(
            geometry.outputHeight > 0 && geometry.outputWidth > 0,
            "a \(weight.shape[2])×\(weight.shape[3]) kernel does not fit \(shape)")
        let isRecorded = isTracked || weight.isTracked || bias?.isTracked == true
        guard geometry.fuses(activation, isRecorded: isRecorded) else {
            let y = convolved(
                with: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
                groups: groups)
            return y.activated(activation)
        }
        weight.observe(self, isPadded: padding > 0)
        if geometry.groups == 1, let integers = weight.integerWeights(for: self, bias: bias) {
            return convolvedInInt8(geometry, integers, bias, activation)
        }
        if weight.productPrecision == .bfloat16, geometry.suitsBFloat16 {
            return convolvedInBFloat16(geometry, weight, bias, activation)
        }
        let y = Tensor.uninitialized([
            shape[0], geometry.outputHeight, geometry.outputWidth,
            activation == .simpleGate ? weight.shape[0] / 2 : weight.shape[0],
        ])
        let (x, w) = (detached, weight.detached)
        guard y.elementCount > 0 else { return y }
        backend.convolution(
            geometry, x.base, weight: w.weightBuffer, bias: bias?.base, activation, y.mutableBase)
        let rectified = activation == .relu ? y.detached : nil
        return y.recorded([self, weight] + (bias.map { [$0] } ?? [])) { resultGradient, wanted in
            // Where ReLU gave zero nothing flows back, and where it did not, it changed nothing.
            let gradient = rectified.map { resultGradient.passedThroughReLU($0) } ?? resultGradient
            var result: [Tensor?] = [nil, nil]
            if wanted[0] {
                let dx = Tensor.uninitialized(x.shape)
                backend.convolutionBackwardData(
                    geometry, gradient.base, weight: w.weightBuffer, dx.mutableBase)
                result[0] = dx
            }
            let wantsBias = wanted.count > 2 && wanted[2]
            let dBias = wantsBias ? Tensor.uninitialized([geometry.outputChannels]) : nil
            if wanted[1] {
                let dWeight = Tensor.uninitialized(w.shape)
                backend.convolutionBackwardWeights(
                    geometry, x.base, gradient.base, dWeight: dWeight.mutableBase, dBias: dBias?.mutableBase)
                result[1] = dWeight
            } else if let dBias {
                backend.sumRows(
                    gradient.base, nil, dBias.mutableBase, layout: ChannelLayout(gradient.shape).flattened)
            }
            if wanted.count > 2 { result.append(dBias) }
            return result
        }
    }

    /// An activation as a pass of its own.
    public func activated(_ activation: ConvolutionActivation) -> Tensor {
        switch activation {
        case .none: self
        case .relu: relu(self)
        case .gelu: gelu(self)
        case .simpleGate: simpleGate()
        }
    }

    var weightBuffer: WeightBuffer { WeightBuffer(storage: storage, offset: offset) }

    var transientWeightBuffer: WeightBuffer {
        WeightBuffer(storage: storage, offset: offset, isTransient: true)
    }

    /// This gradient of `max(x, 0)`, as a gradient of x.
    private func passedThroughReLU(_ result: Tensor) -> Tensor {
        let dx = Tensor.uninitialized(shape)
        backend.unaryBackward(.relu, result.base, base, dx.mutableBase, count: elementCount)
        return dx
    }
}

extension ConvolutionGeometry {
    /// Whether an activation is part of the pass that writes the results.
    fileprivate func fuses(_ activation: ConvolutionActivation, isRecorded: Bool) -> Bool {
        switch activation {
        case .none: true
        case .relu: !isRecorded || suitsWinograd
        case .gelu: !isRecorded
        case .simpleGate: !isRecorded && suitsDepthwiseGate
        }
    }
}
