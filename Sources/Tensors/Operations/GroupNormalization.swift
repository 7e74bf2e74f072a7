// Group normalisation: mean and variance over all pixels of a group of channels.

extension Tensor {
    /// GroupNorm (Wu and He, arXiv 1803.08494) with an affine map per channel: `[N, …, C]` → `[N, …, C]`.
    ///
    /// - Parameters:
    ///   - groups: a divisor of C.
    ///   - weight: `[C]`.
    ///   - bias: `[C]`.
    ///   - epsilon: added to the (biased) variance.
    public func groupNorm(groups: Int, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        let layout = ChannelLayout(shape)
        precondition(
            groups > 0 && layout.channels % groups == 0 && weight.shape == [layout.channels]
                && bias.shape == [layout.channels],
            "groupNorm of \(shape) in \(groups) groups with weight \(weight.shape), bias \(bias.shape)")
        let statistics = GroupStatistics(layout: layout, groups: groups)
        let mean = statistics.groupMeans(of: statistics.sums(of: self, with: nil))
        let centred = Tensor.uninitialized(shape)
        backend.channelBinary(
            .subtract, base, mean.base, centred.mutableBase, layout: layout, perSample: true)
        let variance = statistics.groupMeans(of: statistics.sums(of: centred, with: centred))
        let inverse = (variance + epsilon).squareRoot.reciprocal
        let w = weight.detached
        let scale = inverse * w
        let y = Tensor.uninitialized(shape)
        backend.channelBinary(
            .multiply, centred.base, scale.base, y.mutableBase, layout: layout, perSample: true)
        backend.channelBinary(
            .add, y.base, bias.base, y.mutableBase, layout: layout.flattened, perSample: false)
        return y.recorded([self, weight, bias]) { gradient, wanted in
            let sum = statistics.sums(of: gradient, with: nil)
            let product = statistics.sums(of: gradient, with: centred) * inverse
            var result: [Tensor?] = [
                nil, wanted[1] ? product.columnSums() : nil, wanted[2] ? sum.columnSums() : nil,
            ]
            guard wanted[0] else { return result }
            // dx = r·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂)), x̂ = r·centred.
            let slope = statistics.groupMeans(of: product * w) * inverse.squared
            let shift = statistics.groupMeans(of: sum * w) * inverse
            let dx = Tensor.uninitialized(gradient.shape)
            let correction = Tensor.uninitialized(gradient.shape)
            backend.channelBinary(
                .multiply, gradient.base, scale.base, dx.mutableBase, layout: layout, perSample: true)
            backend.channelBinary(
                .multiply, centred.base, slope.base, correction.mutableBase, layout: layout, perSample: true)
            backend.accumulate(correction.base, into: dx.mutableBase, scale: -1, count: dx.elementCount)
            backend.channelBinary(
                .subtract, dx.base, shift.base, dx.mutableBase, layout: layout, perSample: true)
            result[0] = dx
            return result
        }
    }

    /// `[N, C]` → `[C]`.
    fileprivate func columnSums() -> Tensor {
        let sum = Tensor.uninitialized([shape[1]])
        backend.sumRows(
            base, nil, sum.mutableBase, layout: ChannelLayout(samples: 1, rows: shape[0], channels: shape[1]))
        return sum
    }
}

/// Sums per sample and channel, and their means over groups of channels.
private struct GroupStatistics {
    let layout: ChannelLayout
    let groups: Int

    func sums(of a: Tensor, with b: Tensor?) -> Tensor {
        let sum = Tensor.uninitialized([layout.samples, layout.channels])
        backend.sumRows(a.base, b?.base, sum.mutableBase, layout: layout)
        return sum
    }

    /// Sums `[N, C]` over pixels to means over pixels and the channels of a group, one value per channel `[N,
    /// C]`.
    func groupMeans(of sums: Tensor) -> Tensor {
        let width = layout.channels / groups
        let scale = 1 / Double(max(1, layout.rows * width))
        let result = Tensor.uninitialized(sums.shape)
        let (source, target) = (sums.base, result.mutableBase)
        let count = sums.elementCount
        perform {
            for start in stride(from: 0, to: count, by: width) {
                var total = 0.0
                for i in start..<start + width { total += Double(source[i]) }
                (target + start).update(repeating: Float(total * scale), count: width)
            }
        }
        return result
    }
}
