// Convolutions that are made of the plain one: transposed, and with weights of their own for every sample.

extension Tensor {
    /// Transposed convolution, the gradient of a convolution as an operation of its own (PyTorch's
    /// `ConvTranspose2d`).
    ///
    /// - Parameter weight: `[I, O/groups, kh, kw]`, the published order.
    /// - Returns: `[N, (H − 1)·stride − 2·padding + kh, …, O]`.
    public func transposedConvolved(
        with weight: Tensor, stride: Int = 1, padding: Int = 0, groups: Int = 1
    ) -> Tensor {
        precondition(
            shape.rank == 4 && weight.shape.rank == 4 && weight.shape[0] == shape[3]
                && shape[3] % groups == 0,
            "transposed convolution of \(shape) with weight \(weight.shape), \(groups) groups")
        let (kh, kw) = (weight.shape[2], weight.shape[3])
        // The convolution that leads from the result back to self.
        let geometry = ConvolutionGeometry(
            batch: shape[0], height: (shape[1] - 1) * stride - 2 * padding + kh,
            width: (shape[2] - 1) * stride - 2 * padding + kw, inputChannels: weight.shape[1] * groups,
            outputChannels: shape[3], kernelHeight: kh, kernelWidth: kw, stride: stride, padding: padding,
            dilation: 1, groups: groups)
        precondition(
            geometry.height > 0 && geometry.width > 0, "transposed convolution of \(shape) leaves nothing")
        let (x, w) = (detached, weight.detached)
        let y = Tensor.uninitialized([shape[0], geometry.height, geometry.width, geometry.inputChannels])
        backend.convolutionBackwardData(geometry, x.base, weight: w.weightBuffer, y.mutableBase)
        return y.recorded([self, weight]) { gradient, wanted in
            var result: [Tensor?] = [nil, nil]
            if wanted[0] {
                let dx = Tensor.uninitialized(x.shape)
                backend.convolution(
                    geometry, gradient.base, weight: w.weightBuffer, bias: nil, .none, dx.mutableBase)
                result[0] = dx
            }
            if wanted[1] {
                let dWeight = Tensor.uninitialized(w.shape)
                backend.convolutionBackwardWeights(
                    geometry, gradient.base, x.base, dWeight: dWeight.mutableBase, dBias: nil)
                result[1] = dWeight
            }
            return result
        }
    }

    /// Convolution with weights of its own for every sample.
    ///
    /// - Parameters:
    ///   - weights: `[N, O, I/groups, kh, kw]`.
    ///   - bias: `[N, O]` or nil.
    public func convolved(
        withEach weights: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
        groups: Int = 1
    ) -> Tensor {
        precondition(
            shape.rank == 4 && weights.shape.rank == 5 && weights.shape[0] == shape[0]
                && weights.shape[2] * groups == shape[3]
                && (bias.map { $0.shape == [shape[0], weights.shape[1]] } ?? true),
            "convolution of \(shape) with weights \(weights.shape), bias \(bias?.shape.description ?? "none"), \(groups) groups"
        )
        let geometry = ConvolutionGeometry(
            batch: 1, height: shape[1], width: shape[2], inputChannels: shape[3],
            outputChannels: weights.shape[1], kernelHeight: weights.shape[3], kernelWidth: weights.shape[4],
            stride: stride, padding: padding, dilation: dilation, groups: groups)
        let (n, outputs) = (shape[0], weights.shape[1])
        let y = Tensor.uninitialized([n, geometry.outputHeight, geometry.outputWidth, outputs])
        let (x, w, b) = (detached, weights.detached, bias?.detached)
        for i in 0..<n {
            backend.convolution(
                geometry, x.samples(i..<i + 1).base, weight: w.samples(i..<i + 1).transientWeightBuffer,
                bias: b?.samples(i..<i + 1).base, .none, y.samples(i..<i + 1).mutableBase)
        }
        return y.recorded([self, weights] + (bias.map { [$0] } ?? [])) { gradient, wanted in
            let dx = Tensor.uninitialized(wanted[0] ? x.shape : [0])
            let dWeights = Tensor.uninitialized(w.shape)
            let dBias = b.map { Tensor.uninitialized($0.shape) }
            for i in 0..<n {
                let (one, dy) = (i..<i + 1, gradient.samples(i..<i + 1))
                if wanted[0] {
                    backend.convolutionBackwardData(
                        geometry, dy.base, weight: w.samples(one).transientWeightBuffer,
                        dx.samples(one).mutableBase)
                }
                backend.convolutionBackwardWeights(
                    geometry, x.samples(one).base, dy.base, dWeight: dWeights.samples(one).mutableBase,
                    dBias: dBias?.samples(one).mutableBase)
            }
            return [wanted[0] ? dx : nil, dWeights] + (dBias.map { [$0] } ?? [])
        }
    }
}
