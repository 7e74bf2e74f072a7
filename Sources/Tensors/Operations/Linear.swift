// Matrix products.

extension Tensor {
    /// x·Wᵀ + b on channel vectors: `[…, I]` with weight `[O, I]` and bias `[O]` → `[…, O]`.
    public func linear(_ weight: Tensor, bias: Tensor? = nil) -> Tensor {
        precondition(
            weight.shape.rank == 2 && weight.shape[1] == shape.channels
                && (bias.map { $0.shape == [weight.shape[0]] } ?? true),
            "linear: \(shape) with weight \(weight.shape), bias \(bias?.shape.description ?? "none")")
        weight.observe(self, isPadded: false)
        if let integers = weight.integerWeights(for: self, bias: bias) { return linearInInt8(integers, bias) }
        if weight.productPrecision == .bfloat16, let result = linearInBFloat16(weight, bias) { return result }
        let (rows, inputs, outputs) = (shape.rows, weight.shape[1], weight.shape[0])
        let (x, w) = (detached, weight.detached)
        let y = Tensor.uninitialized(Shape(shape.extents.dropLast() + [outputs]))
        let isRecorded = isTracked || weight.isTracked || bias?.isTracked == true
        let flat = ChannelLayout(samples: 1, rows: rows, channels: outputs)
        if !isRecorded, rows <= 16 {
            // Few rows (the vectors of a small batch) give what each gives alone, which sampling relies on to take rows
            // together; the library sums in another order for one row than for several.
            backend.fewRowsProduct(
                x.base, w.base, bias: bias?.base, y.mutableBase, rows: rows, inputs: inputs, outputs: outputs)
        } else {
            backend.matrixProduct(
                x.base, transposeA: false, w.base, transposeB: true, y.mutableBase, m: rows, n: outputs,
                k: inputs, beta: 0)
            if let bias {
                backend.channelBinary(.add, y.base, bias.base, y.mutableBase, layout: flat, perSample: false)
            }
        }
        return y.recorded([self, weight] + (bias.map { [$0] } ?? [])) { gradient, wanted in
            var result: [Tensor?] = [nil, nil]
            if wanted[0] {
                let dx = Tensor.uninitialized(x.shape)
                backend.matrixProduct(
                    gradient.base, transposeA: false, w.base, transposeB: false, dx.mutableBase, m: rows,
                    n: inputs,
                    k: outputs, beta: 0)
                result[0] = dx
            }
            if wanted[1] {
                let dWeight = Tensor.uninitialized(w.shape)
                backend.matrixProduct(
                    gradient.base, transposeA: true, x.base, transposeB: false, dWeight.mutableBase,
                    m: outputs,
                    n: inputs, k: rows, beta: 0)
                result[1] = dWeight
            }
            guard wanted.count > 2 else { return result }
            var dBias: Tensor?
            if wanted[2] {
                let sum = Tensor.uninitialized([outputs])
                backend.sumRows(gradient.base, nil, sum.mutableBase, layout: flat)
                dBias = sum
            }
            return result + [dBias]
        }
    }
}
