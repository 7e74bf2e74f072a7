import CKernels

extension ConvolutionGeometry {
    /// Whether rounding the operands to bfloat16 makes this convolution faster on this processor: a dense one that
    /// Winograd's method does not compute.
    ///
    /// Decided by the extents of one image, never by the batch, so that a sample's result is the same in any batch.
    var suitsBFloat16: Bool {
        groups == 1 && inputChannels >= 16 && outputChannels >= 16 && !suitsWinograd
            && ProductPrecision.bfloat16.isAvailable
    }
}

extension CPUBackend {
    func roundToBFloat16(_ x: Input, _ y: HalfOutput, count: Int) {
        performParallel(count, grain: Self.grain) { begin, end in
            sfumato_round_bfloat16(x + begin, y + begin, Int64(end - begin))
        }
    }

    func convolution(
        _ geometry: ConvolutionGeometry, _ x: HalfInput, weight: WeightBuffer, bias: Input?,
        _ activation: ConvolutionActivation, _ y: Output
    ) {
        ConvolutionPlanCache.shared.plan(geometry, .forward, hasBias: bias != nil, activation, .bfloat16)
            .forward(x, weight, bias, y)
    }

    func convolutionBackwardData(
        _ geometry: ConvolutionGeometry, _ dy: HalfInput, weight: WeightBuffer, _ dx: Output
    ) {
        ConvolutionPlanCache.shared.plan(geometry, .backwardData, hasBias: false, .none, .bfloat16)
            .backwardData(dy, weight, dx)
    }

    func convolutionBackwardWeights(
        _ geometry: ConvolutionGeometry, _ x: HalfInput, _ dy: HalfInput, dWeight: Output
    ) {
        ConvolutionPlanCache.shared.plan(geometry, .backwardWeights, hasBias: false, .none, .bfloat16)
            .backwardWeights(x, dy, dWeight: dWeight, dBias: nil)
    }
}
