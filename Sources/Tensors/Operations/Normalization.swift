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
        let rows = layout.samples * layout.rows
        let (x, k) = (detached, scale?.detached)
        let y = Tensor.uninitialized(shape)
        let mean = Tensor.uninitialized([rows])
        let inverseDeviation = Tensor.uninitialized([rows])
        backend.layerNorm(
            x.base, scale: k?.base, shift: shift?.base, y.mutableBase, mean: mean.mutableBase,
            inverseDeviation: inverseDeviation.mutableBase, epsilon: epsilon, layout: layout)
        let operands = [self] + [shift, scale].compactMap { $0 }
        return y.recorded(operands) { gradient, wanted in
            let dx = Tensor.uninitialized(x.shape)
            let wantsModulation = wanted.dropFirst().contains(true)
            let dShift = wantsModulation ? Tensor.uninitialized(vectors) : nil
            let dScale = wantsModulation ? Tensor.uninitialized(vectors) : nil
            backend.layerNormBackward(
                x.base, scale: k?.base, gradient.base, mean: mean.base,
                inverseDeviation: inverseDeviation.base,
                dx.mutableBase, dScale: dScale?.mutableBase, dShift: dShift?.mutableBase, layout: layout)
            return wanted.count > 1 ? [dx, dShift, dScale] : [dx]
        }
    }
}
