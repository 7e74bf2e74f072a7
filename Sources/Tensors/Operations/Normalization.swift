// Layer normalisation over channels, with the modulation that conditional networks put behind it.

extension Tensor {
    /// LayerNorm over the last axis without affine parameters, then `· (1 + scale) + shift` per sample.
    ///
    /// - Parameters:
    ///   - shift: `[N, C]`, together with `scale`; both nil for the plain normalisation.
    ///   - epsilon: added to the (biased) variance.
    public func layerNorm(shift: Tensor? = nil, scale: Tensor? = nil, epsilon: Float) -> Tensor {
        let layout = ChannelLayout(shape)
        let vectors: Shape = [layout.samples, layout.channels]
        precondition(
            (shift == nil) == (scale == nil) && (shift?.shape ?? vectors) == vectors
                && (scale?.shape ?? vectors) == vectors,
            "layerNorm of \(shape) with shift \(shift?.shape.description ?? "none"), scale \(scale?.shape.description ?? "none")"
        )
        return layerNorm(shift: shift, scale: scale, scaleBase: 1, epsilon: epsilon, layout: layout)
    }

    /// LayerNorm over the last axis, then `· weight + bias`, both `[C]`.
    public func layerNorm(weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        precondition(
            weight.shape == [shape.channels] && bias.shape == weight.shape,
            "layerNorm of \(shape) with weight \(weight.shape), bias \(bias.shape)")
        return layerNorm(
            shift: bias, scale: weight, scaleBase: 0, epsilon: epsilon, layout: ChannelLayout(shape).flattened
        )
    }

    /// x̂·(scaleBase + scale) + shift, `shift` and `scale` holding a vector for each sample of `layout`.
    func layerNorm(
        shift: Tensor?, scale: Tensor?, scaleBase: Float, epsilon: Float, layout: ChannelLayout
    ) -> Tensor {
        let rows = layout.samples * layout.rows
        let (x, k) = (detached, scale?.detached)
        let y = Tensor.uninitialized(shape)
        let mean = Tensor.uninitialized([rows])
        let inverseDeviation = Tensor.uninitialized([rows])
        backend.layerNorm(
            x.base, scale: k?.base, shift: shift?.base, y.mutableBase, mean: mean.mutableBase,
            inverseDeviation: inverseDeviation.mutableBase, epsilon: epsilon, scaleBase: scaleBase,
            layout: layout)
        let operands = [self] + [shift, scale].compactMap { $0 }
        return y.recorded(operands) { gradient, wanted in
            let dx = Tensor.uninitialized(x.shape)
            let wantsModulation = wanted.dropFirst().contains(true)
            let dShift = wantsModulation ? Tensor.uninitialized(k?.shape ?? [0]) : nil
            let dScale = wantsModulation ? Tensor.uninitialized(k?.shape ?? [0]) : nil
            backend.layerNormBackward(
                x.base, scale: k?.base, gradient.base, mean: mean.base,
                inverseDeviation: inverseDeviation.base,
                dx.mutableBase, dScale: dScale?.mutableBase, dShift: dShift?.mutableBase,
                scaleBase: scaleBase, layout: layout)
            return wanted.count > 1 ? [dx, dShift, dScale] : [dx]
        }
    }
}
