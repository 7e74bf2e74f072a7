// Convolutions and linear layers of 8-bit integers.

extension Tensor {
    /// What `convolved` does with quantised weights.
    func convolvedInInt8(
        _ geometry: ConvolutionGeometry, _ weights: QuantizedWeights, _ bias: Tensor?,
        _ activation: ConvolutionActivation
    ) -> Tensor {
        let y = Tensor.uninitialized(geometry.outputShape)
        guard y.elementCount > 0 else { return y }
        let integers = Storage(byteCount: elementCount)
        backend.quantize(base, integers, for: weights, rows: shape.rows)
        backend.convolution(geometry, integers, weights, bias: bias?.base, activation, y.mutableBase)
        return y
    }

    /// What `linear` does with quantised weights.
    func linearInInt8(_ weights: QuantizedWeights, _ bias: Tensor?) -> Tensor {
        let (outputs, inputs) = (weights.shape[0], weights.shape[1])
        let geometry = ConvolutionGeometry(rows: shape.rows, inputs: inputs, outputs: outputs)
        return reshaped([1, shape.rows, 1, inputs]).convolvedInInt8(geometry, weights, bias, .none)
            .reshaped(Shape(shape.extents.dropLast() + [outputs]))
    }
}
