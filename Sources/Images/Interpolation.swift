import Tensors

/// Ways to resize a float image as the frameworks do, which scoring networks were fed with.
///
/// All but the antialiased ones and `area` read at most the four nearest pixels of a direction, so shrinking aliases:
/// to prepare pictures use `ResizeFilter`. Positions and weights are computed in single precision with fused
/// multiply-adds, as the frameworks' builds do: otherwise differences reach 5e-4 of 255.
public enum Interpolation: String, Sendable, Codable, CaseIterable {
    /// TensorFlow 1's `resize_bilinear`: no half-pixel shift, so that the last column is never reached.
    case tensorFlow1
    /// PyTorch's `F.interpolate` with `align_corners` false.
    case bilinear
    /// The same with `align_corners` true.
    case bilinearAligned
    /// PyTorch's bicubic, a = −0.75.
    case bicubic
    /// PyTorch's with `antialias`: the filter widens with the reduction.
    case bilinearAntialiased
    /// The same with a cubic of a = −0.5.
    case bicubicAntialiased
    /// PyTorch's `area`: means of adaptive windows.
    case area
    /// PyTorch's `nearest`.
    case nearest
}

extension Tensor {
    /// An image `[H, W, C]` at another size. The result carries no derivative.
    public func interpolated(height: Int, width: Int, _ rule: Interpolation) -> Tensor {
        precondition(shape.rank == 3, "interpolation takes an image [H, W, C], not \(shape)")
        let (rows, columns, channels) = (shape[0], shape[1], shape[2])
        let horizontal = ResamplePass(
            outer: rows, from: columns, to: width, inner: channels,
            weights: ResampleWeights(from: columns, to: width, rule))
        let vertical = ResamplePass(
            outer: 1, from: rows, to: height, inner: width * channels,
            weights: ResampleWeights(from: rows, to: height, rule))
        return Tensor(shape: [height, width, channels], scalars: vertical(horizontal(scalars)))
    }
}

extension ResampleWeights {
    init(from inputSize: Int, to outputSize: Int, _ rule: Interpolation) {
        let taps = InterpolationTaps(inputSize: inputSize, outputSize: outputSize)
        self.init(
            rows: (0..<outputSize).map { output in
                // Taps beyond the border fall on the border's pixel.
                let inside = taps.taps(of: output, rule).map {
                    (min(max($0.index, 0), inputSize - 1), $0.weight)
                }
                let start = inside.map(\.0).min() ?? 0
                var weights = [Double](repeating: 0, count: (inside.map(\.0).max() ?? start) - start + 1)
                for (index, weight) in inside { weights[index - start] += Double(weight) }
                return (start, weights)
            })
    }
}

/// Which inputs an output is made of, and in what parts.
private struct InterpolationTaps {
    typealias Tap = (index: Int, weight: Float)

    let inputSize: Int
    let outputSize: Int
    var scale: Float { Float(inputSize) / Float(outputSize) }

    func taps(of output: Int, _ rule: Interpolation) -> [Tap] {
        switch rule {
        case .tensorFlow1: return linear(at: Float(output) * scale)
        case .bilinear: return linear(at: max(0, halfPixelPosition(output)))
        case .bilinearAligned:
            let step = outputSize > 1 ? Float(inputSize - 1) / Float(outputSize - 1) : 0
            return linear(at: Float(output) * step)
        case .bicubic:
            let position = halfPixelPosition(output)
            let first = Int(position.rounded(.down))
            let t = position - Float(first)
            let distances = [t + 1, t, 1 - t, 1 - t + 1]
            return distances.enumerated().map { (first - 1 + $0, Self.cubic($1, a: -0.75)) }
        case .bilinearAntialiased: return widened(output, support: 1) { max(0, 1 - $0) }
        case .bicubicAntialiased: return widened(output, support: 2) { Self.cubic($0, a: -0.5) }
        case .area:
            let first = output * inputSize / outputSize
            let end = ((output + 1) * inputSize + outputSize - 1) / outputSize
            return (first..<end).map { ($0, 1 / Float(end - first)) }
        case .nearest: return [(Int(Float(output) * scale), 1)]
        }
    }

    private func halfPixelPosition(_ output: Int) -> Float {
        Float(-0.5).addingProduct(scale, Float(output) + 0.5)
    }

    private func linear(at position: Float) -> [Tap] {
        let first = Int(position)
        let t = position - Float(first)
        return [(first, 1 - t), (first + 1, t)]
    }

    private func widened(_ output: Int, support: Float, weight: (Float) -> Float) -> [Tap] {
        let spread = max(scale, 1)
        let center = scale * (Float(output) + 0.5)
        let start = max(Int(center - support * spread + 0.5), 0)
        let end = min(Int(center + support * spread + 0.5), inputSize)
        let weights = (start..<end).map { weight(abs((Float($0) - center + 0.5) * (1 / spread))) }
        let sum = weights.reduce(0, +)
        return weights.enumerated().map { (start + $0, $1 / sum) }
    }

    private static func cubic(_ x: Float, a: Float) -> Float {
        if x <= 1 { return Float(1).addingProduct((-(a + 3)).addingProduct(a + 2, x) * x, x) }
        guard x < 2 else { return 0 }
        return (-4 * a).addingProduct((8 * a).addingProduct((-5 * a).addingProduct(a, x), x), x)
    }
}
