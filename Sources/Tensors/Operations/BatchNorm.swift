// Batch normalisation over all axes but the channels.

/// Mean and biased variance of each channel over a batch.
public struct ChannelStatistics: Sendable {
    /// `[C]`
    public let mean: Tensor
    /// `[C]`, divided by the number of values.
    public let variance: Tensor
    /// Number of values per channel.
    public let count: Int
}

extension Tensor {
    /// Mean and variance of each channel over all other axes, the variance from deviations (two passes). No
    /// derivative.
    public func channelStatistics() -> ChannelStatistics {
        let layout = ChannelLayout(shape).flattened
        let (mean, variance) = (
            Tensor.uninitialized([layout.channels]), Tensor.uninitialized([layout.channels])
        )
        let scale = 1 / Float(max(1, layout.rows))
        backend.sumRows(base, nil, mean.mutableBase, layout: layout)
        backend.affine(mean.base, mean.mutableBase, scale: scale, shift: 0, count: layout.channels)
        backend.sumSquaredDeviations(base, mean: mean.base, variance.mutableBase, layout: layout)
        backend.affine(variance.base, variance.mutableBase, scale: scale, shift: 0, count: layout.channels)
        return ChannelStatistics(mean: mean, variance: variance, count: layout.rows)
    }

    /// (self − mean)/√(variance + ε)·weight + bias per channel.
    ///
    /// - Parameters:
    ///   - weight: `[C]`.
    ///   - bias: `[C]`.
    ///   - statistics: `[C]` each. No derivative flows through them unless `areOwn`.
    ///   - areOwn: the statistics are this tensor's, so that its derivative goes through them too (training).
    public func batchNorm(
        weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, epsilon: Float, areOwn: Bool
    ) -> Tensor {
        let layout = ChannelLayout(shape).flattened
        let vector: Shape = [layout.channels]
        precondition(
            [weight, bias, mean, variance].allSatisfy { $0.shape == vector },
            "batchNorm of \(shape): weight \(weight.shape), bias \(bias.shape), mean \(mean.shape), variance \(variance.shape)"
        )
        let (x, m) = (detached, mean.detached)
        let inverse = (variance.detached + epsilon).squareRoot.reciprocal
        let scale = inverse * weight.detached
        let y = Tensor.uninitialized(shape)
        backend.normalizeChannels(
            x.base, mean: m.base, scale: scale.base, shift: bias.base, y.mutableBase, layout: layout)
        return y.recorded([self, weight, bias]) { gradient, wanted in
            let sums = Tensor.uninitialized([2, layout.channels])
            backend.batchNormSums(
                x.base, gradient.base, mean: m.base, inverse: inverse.base, sums: sums.mutableBase,
                layout: layout)
            let (dBias, dWeight) = (
                sums.samples(0..<1).reshaped(vector), sums.samples(1..<2).reshaped(vector)
            )
            guard wanted[0] else { return [nil, dWeight, dBias] }
            let share = areOwn ? 1 / Float(max(1, layout.rows)) : 0
            let (meanDy, meanProduct) = (dBias * share, dWeight * share)
            let dx = Tensor.uninitialized(x.shape)
            backend.batchNormBackward(
                x.base, gradient.base, mean: m.base, inverse: inverse.base, scale: scale.base,
                meanDy: meanDy.base, meanProduct: meanProduct.base, dx.mutableBase, layout: layout)
            return [dx, dWeight, dBias]
        }
    }
}
