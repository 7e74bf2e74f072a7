import Foundation
import Tensors

/// How many tokens are predicted at each autoregressive step: few at first, many at the end, along a cosine.
public enum MaskSchedule: String, Codable, Hashable, Sendable, CaseIterable {
    /// Rounded to even halves; steps without a token are left out (LINA, NOVA).
    case rounded
    /// Rounded down, at least one token a step until one is left; the last step predicts the rest (MAR). Steps may be
    /// empty when there are more of them than tokens.
    case floored

    /// Unknown tokens after each of `steps` steps, with the number before the first in front.
    public func remaining(tokens: Int, steps: Int) -> [Int] {
        let cosine = (0...steps).map { Double(tokens) * cos(Double.pi / 2 * Double($0) / Double(steps)) }
        switch self {
        case .rounded: return cosine.map { Int($0.rounded(.toNearestOrEven)) }
        case .floored:
            var list = [tokens]
            for value in cosine.dropFirst() {
                list.append(max(1, min(list[list.count - 1] - 1, Int(value.rounded(.down)))))
            }
            list[steps] = 0
            return list
        }
    }

    /// Tokens of each step.
    public func counts(tokens: Int, steps: Int) -> [Int] {
        let remaining = remaining(tokens: tokens, steps: steps)
        let counts = zip(remaining, remaining.dropFirst()).map { $0 - $1 }
        return self == .rounded ? counts.filter { $0 > 0 } : counts
    }

    /// Tokens that training hides from the network at a drawn ratio.
    public func maskedCount(ratio: Double, tokens: Int) -> Int {
        let count =
            switch self {
            case .rounded: tokens - Int(((1 - ratio) * Double(tokens)).rounded(.toNearestOrEven))
            case .floored: Int((Double(tokens) * ratio).rounded(.up))
            }
        return min(max(count, 0), tokens)
    }

    /// The tokens of each step from one random order per sample. LINA goes through the order from its beginning; MAR
    /// takes it from its end and looks at a step's tokens by index.
    public func plan(orders: [[Int]], steps: Int) -> [[[Int]]] {
        guard let tokens = orders.first?.count else { return [] }
        var start = 0
        return counts(tokens: tokens, steps: steps).map { count in
            defer { start += count }
            return orders.map { order in
                self == .rounded
                    ? Array(order[start..<start + count])
                    : order[tokens - start - count..<tokens - start].sorted()
            }
        }
    }
}

/// Mask ratios of training: a normal distribution around 1 that is cut to `low`…`high`.
public struct MaskRatio: Codable, Hashable, Sendable {
    public var low: Double
    public var high: Double
    public var deviation: Double

    public init(low: Double = 0.7, high: Double = 1, deviation: Double = 0.25) {
        self.low = low
        self.high = high
        self.deviation = deviation
    }

    /// Known tokens of the samples at the given places of a step's whole batch: equally many of all, in random order. A
    /// batch that is split draws the same numbers.
    public func visible(samples: some Sequence<Int>, tokens: Int, from stream: RandomStream) -> [[Int]] {
        let drawn = ratio(quantile: stream.stream(named: "ratio").uniformDouble(at: 0))
        let count = tokens - MaskSchedule.rounded.maskedCount(ratio: drawn, tokens: tokens)
        let orders = stream.stream(named: "order")
        return samples.map { Array(orders.stream(UInt64($0)).permutation(count: tokens).prefix(count)) }
    }

    /// The ratio below which a share `quantile` of all draws lies.
    public func ratio(quantile: Double) -> Double {
        func probability(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }
        var (below, above) = ((low - 1) / deviation, (high - 1) / deviation)
        let target = probability(below) + quantile * (probability(above) - probability(below))
        for _ in 0..<100 {
            let middle = (below + above) / 2
            if probability(middle) < target { below = middle } else { above = middle }
        }
        return 1 + (below + above) / 2 * deviation
    }
}

/// The guidance scale of each autoregressive step.
public enum GuidanceRamp: Hashable, Sendable {
    case constant(Double)
    /// From `start` before the first step to `end` at the last, in equal parts (LINA).
    case linear(start: Double, end: Double)
    /// 1 + (end − 1)·(share of known tokens after the step) (MAR).
    case known(end: Double)

    /// - Parameter remaining: unknown tokens after each step, for `known`; the last step counts as leaving one.
    public func scales(steps: Int, tokens: Int, remaining: [Int]) -> [Double] {
        (0..<steps).map { step in
            switch self {
            case .constant(let scale): return scale
            case .linear(let start, let end):
                return (end - start) * (Double(step + 1) / Double(steps)) + start
            case .known(let end):
                let left = step < remaining.count ? max(1, remaining[step]) : 1
                return 1 + (end - 1) * Double(tokens - left) / Double(tokens)
            }
        }
    }
}
