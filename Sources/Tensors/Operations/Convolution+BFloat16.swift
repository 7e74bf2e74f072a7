// Convolutions and linear layers whose operands are rounded to bfloat16.

extension Tensor {
    /// These scalars rounded to bfloat16, without their history.
    func roundedToBFloat16() -> Tensor {
        let result = Tensor.uninitialized(shape, scalarType: .bfloat16)
        backend.roundToBFloat16(base, result.mutableHalfBase, count: elementCount)
        return result
    }

    private var halfBase: HalfInput { UnsafePointer(mutableHalfBase) }
    private var mutableHalfBase: HalfOutput {
        storage.isWantedByNextStep()
        return storage.pointer.assumingMemoryBound(to: UInt16.self) + offset
    }

    /// What `convolved` does with weights that multiply in bfloat16. The rounded input is all that the backward pass
    /// keeps of it.
    func convolvedInBFloat16(
        _ geometry: ConvolutionGeometry, _ weight: Tensor, _ bias: Tensor?,
        _ activation: ConvolutionActivation
    ) -> Tensor {
        let y = Tensor.uninitialized(geometry.outputShape)
        guard y.elementCount > 0 else { return y }
        let (x, w) = (roundedToBFloat16(), weight.detached)
        let inputShape = shape
        backend.convolution(
            geometry, x.halfBase, weight: w.weightBuffer, bias: bias?.base, activation, y.mutableBase)
        return y.recorded([self, weight] + (bias.map { [$0] } ?? [])) { gradient, wanted in
            var result: [Tensor?] = [nil, nil]
            let dy = gradient.roundedToBFloat16()
            if wanted[0] {
                let dx = Tensor.uninitialized(inputShape)
                backend.convolutionBackwardData(
                    geometry, dy.halfBase, weight: w.weightBuffer, dx.mutableBase)
                result[0] = dx
            }
            if wanted[1] {
                let dWeight = Tensor.uninitialized(w.shape)
                backend.convolutionBackwardWeights(
                    geometry, x.halfBase, dy.halfBase, dWeight: dWeight.mutableBase)
                result[1] = dWeight
            }
            guard wanted.count > 2 else { return result }
            guard wanted[2] else { return result + [nil] }
            let dBias = Tensor.uninitialized([geometry.outputChannels])
            backend.sumRows(
                gradient.base, nil, dBias.mutableBase, layout: ChannelLayout(gradient.shape).flattened)
            return result + [dBias]
        }
    }

    /// What `linear` does with weights that multiply in bfloat16: a pointwise convolution of one column.
    func linearInBFloat16(_ weight: Tensor, _ bias: Tensor?) -> Tensor? {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let geometry = ConvolutionGeometry(rows: shape.rows, inputs: inputs, outputs: outputs)
        guard geometry.suitsBFloat16 else { return nil }
        return reshaped([1, shape.rows, 1, inputs])
            .convolvedInBFloat16(
                geometry, weight.reshaped([outputs, inputs, 1, 1]), bias, .none
            ).reshaped(Shape(shape.extents.dropLast() + [outputs]))
    }
}
