import CKernels
import Synchronization

/// What goes into a convolution or linear layer while a network runs on examples: from it come the layer's
/// `QuantizedWeights`.
///
/// Keeps the extremes of every channel and a sample of each call's channel vectors. Its answer does not depend on the
/// order of calls, but for the last digits of sums.
public final class ObservedInputs: Sendable {
    private struct State {
        var low: [Float] = []
        var high: [Float] = []
        /// Channel vectors, one after another.
        var sample: [Float] = []
        var callCount = 0
        var rowCount = 0
        var isPadded = false
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
        state.withLock { state in
            let isFirst = state.callCount == 0
            state.low = isFirst ? low : zip(state.low, low).map { min($0, $1) }
            state.high = isFirst ? high : zip(state.high, high).map { max($0, $1) }
            state.sample += sample
            state.callCount += 1
            state.rowCount += rows
            state.isPadded = state.isPadded || isPadded
        }
    }

    /// Channel vectors of a call, on average; 0 before the first.
    public var rowsPerCall: Int { state.withLock { $0.rowCount / max(1, $0.callCount) } }

    /// Weights as integers, and with them how these inputs become integers: the range, cut short of rare extremes where
    /// that makes all others finer, and the share of the channels' sizes that moves into the weights, which together
    /// leave the smallest error of the layer's results.
    /// - Returns: nil when nothing was seen, or nothing but zeros, or numbers that are not finite.
    public func quantized(_ weights: Tensor) -> QuantizedWeights? {
        let seen = state.withLock { $0 }
        guard seen.callCount > 0, seen.low.count == weights.shape[1],
            (seen.low + seen.high).allSatisfy(\.isFinite)
        else { return nil }
        let tried = Self.thinned(seen.sample, channels: seen.low.count, to: 1 << 15)
        let candidates = [Float(0), 0.25, 0.5, 0.75, 1].compactMap { share in
            Self.candidate(weights, seen.low, seen.high, tried, share, isAffine: !seen.isPadded)
        }
        guard let best = candidates.min(by: { $0.error < $1.error })?.weights else { return nil }
        let sample = Self.thinned(seen.sample, channels: seen.low.count, to: 1 << 18)
        return QuantizedWeights(best, meanErrors: Self.meanErrors(weights, best, sample))
    }

    /// About so many scalars of a sample, its vectors at equal distances.
    private static func thinned(_ sample: [Float], channels: Int, to count: Int) -> [Float] {
        guard sample.count > count else { return sample }
        let distance = (sample.count + count - 1) / count
        return stride(from: 0, to: sample.count / channels, by: distance).flatMap {
            sample[$0 * channels..<($0 + 1) * channels]
        }
    }

    /// How much the results are off on average: mean errors of inputs times weights, and mean inputs times errors of
    /// weights.
    private static func meanErrors(_ weights: Tensor, _ quantized: QuantizedWeights, _ sample: [Float])
        -> [Float]
    {
        let factors = quantized.channelFactors
        let channels = factors.count
        var (means, errors) = (
            [Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels)
        )
        for (place, value) in sample.enumerated() {
            let channel = place % channels
            let rounded = quantized.input.rounded(value / factors[channel]) * factors[channel]
            means[channel] += Double(value)
            errors[channel] += Double(rounded - value)
        }
        let count = Double(max(1, sample.count / channels))
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

    private static func candidate(
        _ weights: Tensor, _ low: [Float], _ high: [Float], _ sample: [Float], _ share: Float, isAffine: Bool
    ) -> (weights: QuantizedWeights, error: Double)? {
        let channels = low.count
        var squares = [Double](repeating: 0, count: channels)
        for (place, value) in sample.enumerated() {
            squares[place % channels] += Double(value) * Double(value)
        }
        let sizes = squares.map { Float($0.squareRoot()) }
        let mean = sizes.reduce(0, +) / Float(channels)
        guard mean > 0 else { return nil }
        // A channel that is hardly ever used must not make its weights vanish.
        let factors = sizes.map { Self.power(max($0 / mean, 0.01), share) }
        let scaled = sample.enumerated().map { $1 / factors[$0 % channels] }
        let energy = Self.channelEnergy(weights, factors)
        let ends = (
            zip(low, factors).map { $0 / $1 }.min() ?? 0, zip(high, factors).map { $0 / $1 }.max() ?? 0
        )
        var best: (error: Double, input: InputQuantization)?
        var part: Float = 1
        while part > 0.04 {
            defer { part *= 0.92 }
            let bound = part * max(-ends.0, ends.1)
            guard
                let input = InputQuantization(
                    covering: max(ends.0, -bound), min(ends.1, bound), isAffine: isAffine)
            else { continue }
            var error = 0.0
            for (place, value) in scaled.enumerated() {
                let difference = Double(value - input.rounded(value))
                error += energy[place % channels] * difference * difference
            }
            if error < best?.error ?? .infinity { best = (error, input) }
        }
        guard let best else { return nil }
        let quantized = QuantizedWeights(weights, input: best.input, channelFactors: factors)
        let lost = Self.channelEnergy(weights - quantized.values, factors)
        let fromWeights = scaled.enumerated().reduce(0.0) { sum, entry in
            sum + lost[entry.offset % channels] * Double(entry.element) * Double(entry.element)
        }
        return (quantized, best.error + fromWeights)
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

    /// For shares in quarters.
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
