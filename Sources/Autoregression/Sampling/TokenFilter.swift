import Foundation

/// Which codes may be drawn: the most probable ones by number, then by accumulated probability
/// (FoundationVision/VAR, `models/helpers.py`).
public struct TokenFilter: Codable, Hashable, Sendable {
    /// Keeps the k largest scores, and all that equal the k-th; 0 for all.
    public var topK: Int
    /// Keeps the most probable codes that together have this probability; 0 for all.
    public var topP: Double

    public init(topK: Int = 0, topP: Double = 0) {
        self.topK = topK
        self.topP = topP
    }

    /// Scores with −∞ in place of those dropped.
    public func callAsFunction(_ logits: [Float]) -> [Float] {
        var result = logits
        if topK > 0, topK < logits.count {
            let border = logits.sorted(by: >)[topK - 1]
            for i in result.indices where result[i] < border { result[i] = -.infinity }
        }
        if topP > 0 { dropUnlikely(&result) }
        return result
    }

    /// Going up from the least probable, drops codes while their sum stays within 1 − p; the most probable stays.
    private func dropUnlikely(_ logits: inout [Float]) {
        let order = logits.indices.sorted { (logits[$0], $0) < (logits[$1], $1) }
        let probabilities = softmax(order.map { logits[$0] })
        var sum = 0.0
        for (place, index) in order.enumerated().dropLast() {
            sum += probabilities[place]
            if Float(sum) <= Float(1 - topP) { logits[index] = -.infinity }
        }
    }
}

/// Probabilities from scores; a score of −∞ has none.
func softmax(_ logits: [Float]) -> [Double] {
    let maximum = logits.max() ?? 0
    let weights = logits.map { exp(Double($0) - Double(maximum)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
}

/// The index that a number u from [0, 1) falls on: how many running sums of the probabilities it has passed.
func drawIndex(_ logits: [Float], at u: Double) -> Int {
    var sum = 0.0
    let probabilities = softmax(logits)
    for (index, probability) in probabilities.enumerated() {
        sum += probability
        if u < sum { return index }
    }
    // Rounding left u beyond the last sum: the last code that can be drawn at all.
    return probabilities.lastIndex { $0 > 0 } ?? 0
}
