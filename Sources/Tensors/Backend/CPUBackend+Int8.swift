import CKernels

extension CPUBackend {
    func quantize(_ x: Input, _ y: Storage, for weights: QuantizedWeights, rows: Int) {
        let channels = weights.shape[1]
        nonisolated(unsafe) let (x, out) = (x, y.pointer.assumingMemoryBound(to: UInt8.self))
        let (range, zero) = (weights.input.range, Float(weights.input.zeroPoint))
        perform {
            weights.inputFactors.withUnsafeBufferPointer { factors in
                nonisolated(unsafe) let factors = factors
                parallelFor(rows, grain: max(1, Self.grain / channels)) { begin, end in
                    sfumato_quantize(
                        x + begin * channels, out + begin * channels, factors.baseAddress, zero,
                        range.lowerBound, range.upperBound, Int64(end - begin), Int64(channels))
                }
            }
        }
    }

    func convolution(
        _ geometry: ConvolutionGeometry, _ x: Storage, _ weights: QuantizedWeights, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output
    ) {
        // The bias is added to the integers' sum before it is scaled. What 0 is as an integer adds the same to every
        // sum, and is taken off with it.
        let (zero, scale) = (Float(weights.input.zeroPoint), weights.input.scale)
        let offsets = Storage.constant(byteCount: 4 * weights.scales.count)
        for (output, own) in weights.scales.enumerated() {
            offsets.floats()[output] =
                ((bias?[output] ?? 0) + weights.corrections[output]) / (scale * own)
                - zero * weights.sums[output]
        }
        weights.plan(geometry, activation).forward(x.pointer, weights.buffer, offsets.floats(), y)
        withExtendedLifetime((x, offsets)) {}
    }
}
