import CKernels
import Synchronization

/// What goes into a convolution or linear layer while a network runs on examples: from it come the layer's
/// `QuantizedWeights`.
///
/// Keeps a sample of each call's channel vectors, and the extremes of every channel. Its answer does not depend on the
/// order of calls, but for the last digits of sums.
public final class ObservedInputs: Sendable {
    fileprivate struct State {
        /// Channel vectors, one after another: some of each call's, then its least and its greatest values.
        var vectors: [Float] = []
        /// How many vectors each of them stands for.
        var counts: [Float] = []
        var channels = 0
        var callCount = 0
        var rowCount = 0
        var isPadded = false
        var isFinite = true
    }

    private static let sampleOfCall = 4096
    private let state = Mutex(State())

    public init() {}

    func record(_ x: Tensor, isPadded: Bool) {
        let (rows, channels) = (x.shape.rows, x.shape.channels)
        guard rows > 0, channels > 0 else { return }
        // An odd distance does not fall into step with the width of images.
        let distance = max(1, rows * channels / Self.sampleOfCall) | 1
        var low = [Float](repeating: .infinity, count: channels)
        var high = [Float](repeating: -.infinity, count: channels)
        var sample: [Float] = []
        x.withScalars { scalars in
            sfumato_channel_range(scalars.baseAddress, &low, &high, Int64(rows), Int64(channels))
            for row in stride(from: 0, to: rows, by: distance) {
                sample += scalars[row * channels..<(row + 1) * channels]
            }
        }
        let counts = Array(repeating: Float(distance), count: sample.count / channels) + [1, 1]
        state.withLock { state in
            precondition(state.callCount == 0 || state.channels == channels, "a layer has one width")
            state.channels = channels
            state.vectors += sample + low + high
            state.counts += counts
            state.callCount += 1
            state.rowCount += rows
            state.isPadded = state.isPadded || isPadded
            state.isFinite = state.isFinite && (low + high).allSatisfy(\.isFinite)
        }
    }

    /// Channel vectors of a call, on average; 0 before the first.
    public var rowsPerCall: Int { state.withLock { $0.rowCount / max(1, $0.callCount) } }

    /// Weights as integers, and with them how these inputs become integers: the range, cut short of rare extremes where
    /// that makes all others finer, and the share of the channels' sizes that moves into the weights, which together
    /// leave the smallest error of the layer's results.
    /// - Parameter tailWeight: what the error of values beyond the range counts, 1 for what it is. Where a network does not
    ///   care for its extremes (a rectifier sets what they lead to to zero), less is better.
    /// - Returns: nil when nothing was seen, or nothing but zeros, or numbers that are not finite.
    public func quantized(_ weights: Tensor, tailWeight: Double = 1) -> QuantizedWeights? {
        let seen = state.withLock { $0 }
        guard seen.callCount > 0, seen.isFinite, seen.channels == weights.shape[1] else { return nil }
        let candidates = [Float(0), 0.25, 0.5, 0.75, 1].compactMap {
            seen.candidate(weights, share: $0, tailWeight: tailWeight)
        }
        guard let best = candidates.min(by: { $0.error < $1.error })?.weights else { return nil }
        return QuantizedWeights(best, meanErrors: seen.meanErrors(weights, best))
    }
}

extension ObservedInputs.State {
    /// Σ over vectors of count·value(scalar), for each channel.
    private func channelSums(_ value: (Float, Int) -> Float) -> [Double] {
        var sums = [Double](repeating: 0, count: channels)
        for (row, count) in counts.enumerated() {
            for channel in 0..<channels {
                sums[channel] += Double(count * value(vectors[row * channels + channel], channel))
            }
        }
        return sums
    }

    /// - Parameter share: of a channel's size that moves into the weights, in quarters.
    fileprivate func candidate(_ weights: Tensor, share: Float, tailWeight: Double) -> (
        weights: QuantizedWeights, error: Double
    )? {
        let squares = channelSums { value, _ in value * value }
        let sizes = squares.map { Float($0.squareRoot()) }
        let mean = sizes.reduce(0, +) / Float(channels)
        guard mean > 0 else { return nil }
        // A channel that is hardly ever used must not make its weights vanish.
        let factors = sizes.map { Self.power(max($0 / mean, 0.01), share) }
        let energy = Self.channelEnergy(weights, factors)
        guard let chosen = range(factors, energy, tailWeight) else { return nil }
        let quantized = QuantizedWeights(weights, input: chosen.input, channelFactors: factors)
        let lost = Self.channelEnergy(weights - quantized.values, factors)
        let fromWeights = lost.indices.reduce(0.0) { sum, channel in
            sum + lost[channel] * squares[channel] / Double(factors[channel] * factors[channel])
        }
        return (quantized, chosen.error + fromWeights)
    }

    /// The range that leaves the smallest error: rounding's, a twelfth of the square of a step for each value but zero,
    /// and what lies beyond the range.
    /// - Parameter energy: what an error of a channel counts.
    private func range(_ factors: [Float], _ energy: [Double], _ tailWeight: Double) -> (
        input: InputQuantization, error: Double
    )? {
        let inverses = factors.map { 1 / $0 }
        var (low, high): (Float, Float) = (0, 0)
        for place in vectors.indices {
            let value = vectors[place] * inverses[place % channels]
            (low, high) = (min(low, value), max(high, value))
        }
        let bins = 2048
        let size = max((high - low) / Float(bins), .leastNormalMagnitude)
        var histogram = [Double](repeating: 0, count: bins)
        for (row, count) in counts.enumerated() {
            for channel in 0..<channels {
                let value = vectors[row * channels + channel]
                guard value != 0 else { continue }
                let bin = min(Int((value * inverses[channel] - low) / size), bins - 1)
                histogram[bin] += Double(count) * energy[channel]
            }
        }
        var best: (input: InputQuantization, error: Double)?
        var part: Float = 1
        while part > 0.01 {
            defer { part *= 0.94 }
            let bound = part * max(-low, high)
            let (first, last) = (max(low, -bound), min(high, bound))
            guard let input = InputQuantization(covering: first, last, isAffine: !isPadded) else { continue }
            var error = 0.0
            for (bin, weight) in histogram.enumerated() where weight > 0 {
                let value = low + (Float(bin) + 0.5) * size
                let beyond = Double(max(0, max(first - value, value - last)))
                error += weight * (tailWeight * beyond * beyond + Double(input.scale * input.scale) / 12)
            }
            if error < best?.error ?? .infinity { best = (input, error) }
        }
        return best
    }

    /// How much the results are off on average: mean errors of inputs times weights, and mean inputs times errors of
    /// weights.
    fileprivate func meanErrors(_ weights: Tensor, _ quantized: QuantizedWeights) -> [Float] {
        let factors = quantized.channelFactors
        let means = channelSums { value, _ in value }
        let errors = channelSums { value, channel in
            quantized.input.rounded(value / factors[channel]) * factors[channel] - value
        }
        let count = counts.reduce(0.0) { $0 + Double($1) }
        let taps = weights.elementCount / max(1, weights.shape[0] * channels)
        let (exact, approximate) = (weights.scalars, quantized.values.scalars)
        var result = [Double](repeating: 0, count: weights.shape[0])
        for place in exact.indices {
            let channel = place / taps % channels
            result[place / (taps * channels)] +=
                (errors[channel] * Double(approximate[place])
                    + means[channel] * Double(approximate[place] - exact[place])) / count
        }
        return result.map { Float($0) }
    }

    /// Σ over outputs and taps of (w·factor)², for each input.
    private static func channelEnergy(_ weights: Tensor, _ factors: [Float]) -> [Double] {
        let taps = weights.elementCount / max(1, weights.shape[0] * weights.shape[1])
        var sums = [Double](repeating: 0, count: factors.count)
        for (place, value) in weights.scaled(by: factors).enumerated() {
            sums[place / taps % factors.count] += Double(value) * Double(value)
        }
        return sums
    }

    private static func power(_ x: Float, _ share: Float) -> Float {
        let root = x.squareRoot()
        switch share {
        case 0: return 1
        case 0.25: return root.squareRoot()
        case 0.5: return root
        case 0.75: return root * root.squareRoot()
        default: return x
        }
    }
}
