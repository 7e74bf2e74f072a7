import Glibc

/// A resampling filter of Pillow (`src/libImaging/Resample.c`), which widens with the reduction, so that shrinking
/// does not alias.
public enum ResizeFilter: String, Sendable, Codable, CaseIterable {
    case nearest, box, bilinear, hamming, bicubic, lanczos

    /// Half the filter's width at a scale of one, in input pixels.
    var support: Double {
        switch self {
        case .nearest, .box: 0.5
        case .bilinear, .hamming: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    func weight(at position: Double) -> Double {
        let x = abs(position)
        switch self {
        case .nearest, .box: return position > -0.5 && position <= 0.5 ? 1 : 0
        case .bilinear: return x < 1 ? 1 - x : 0
        case .hamming:
            guard x > 0 else { return 1 }
            return x < 1 ? sin(x * .pi) / (x * .pi) * (0.54 + 0.46 * cos(x * .pi)) : 0
        case .bicubic:
            let a = -0.5
            if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
        case .lanczos:
            return position >= -3 && position < 3 ? sinc(position) * sinc(position / 3) : 0
        }
    }

    private func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
}

/// Which direction is resampled first. In 8-bit arithmetic each pass rounds, so the order shows.
public enum ResizeOrder: Sendable {
    /// Pillow up to version 12. The default.
    case horizontalFirst
    /// Pillow 13: vertical first when the height shrinks by more than twice what the width does.
    case pillow13

    func isVerticalFirst(from: (width: Int, height: Int), to: (width: Int, height: Int)) -> Bool {
        guard case .pillow13 = self else { return false }
        return to.height < from.height && from.height - to.height > 2 * (from.width - to.width)
    }
}

/// The weights with which one axis is resampled: output `i` is the sum over `k` of
/// `weights[i * width + k] * input[starts[i] + k]`.
struct ResampleWeights {
    /// First input of each output.
    let starts: [Int]
    /// Number of inputs of each output.
    let counts: [Int]
    /// Room for weights per output.
    let width: Int
    let weights: [Double]

    /// Weights given output by output.
    init(rows: [(start: Int, weights: [Double])]) {
        starts = rows.map(\.start)
        counts = rows.map(\.weights.count)
        let width = counts.max() ?? 0
        self.width = width
        weights = rows.flatMap { $0.weights + [Double](repeating: 0, count: width - $0.weights.count) }
    }

    init(from inputSize: Int, to outputSize: Int, filter: ResizeFilter) {
        let scale = Double(inputSize) / Double(outputSize)
        guard filter != .nearest else {
            // Pillow adds the scale up instead of multiplying, which decides positions that fall on a border.
            var position = 0.5 * scale
            self.init(
                rows: (0..<outputSize).map { _ in
                    defer { position += scale }
                    return (min(Int(position), inputSize - 1), [1])
                })
            return
        }
        let spread = max(scale, 1)
        let support = filter.support * spread
        self.init(
            rows: (0..<outputSize).map { output in
                let center = (Double(output) + 0.5) * scale
                let start = max(0, Int(center - support + 0.5))
                let end = min(inputSize, Int(center + support + 0.5))
                let row = (start..<end).map { filter.weight(at: (Double($0) - center + 0.5) * (1 / spread)) }
                let sum = row.reduce(0, +)
                return (start, sum == 0 ? row : row.map { $0 / sum })
            })
    }

    /// The weights in 22-bit fixed point, as Pillow uses them on 8-bit images.
    var fixedPoint: [Int32] {
        weights.map { Int32($0 * Double(1 << 22) + ($0 < 0 ? -0.5 : 0.5)) }
    }
}
