import Foundation
import Tensors

/// Angles of a rotary position embedding (arXiv 2104.09864), one for each token and pair of a head's channels.
public struct Rotation: Sendable {
    /// `[L, d/2]`, or `[N, L, d/2]` when samples differ; d is a head's width.
    public let cosine: Tensor
    public let sine: Tensor

    public init(cosine: Tensor, sine: Tensor) {
        self.cosine = cosine
        self.sine = sine
    }

    public func callAsFunction(_ x: Tensor, heads: Int) -> Tensor {
        x.rotatedPairs(cosine: cosine, sine: sine, heads: heads)
    }

    /// Three axes (time, row, column) share a head's channels: d/8, 7d/16, 7d/16. Angles are formed in single precision,
    /// as the published networks' were.
    /// - Parameters:
    ///   - positions: `[N, L, 3]` coordinates.
    ///   - prefix: tokens in front, all at position 0.
    ///   - headWidth: d, a multiple of 32.
    public init(positions: Tensor, prefix: Int = 0, headWidth: Int, theta: Float = 10_000) {
        precondition(
            positions.shape.rank == 3 && positions.shape[2] == 3 && headWidth % 32 == 0,
            "rotations need positions [N, L, 3] and a head width in multiples of 32, found \(positions.shape), \(headWidth)"
        )
        let frequencies = Self.frequencies(headWidth: headWidth, theta: theta)
        let (samples, count) = (positions.shape[0], positions.shape[1])
        var angles = [Float](repeating: 0, count: samples * (prefix + count) * headWidth / 2)
        let scalars = positions.scalars
        for sample in 0..<samples {
            for token in 0..<count {
                var channel = (sample * (prefix + count) + prefix + token) * headWidth / 2
                for axis in 0..<3 {
                    let position = scalars[(sample * count + token) * 3 + axis]
                    for frequency in frequencies[axis] {
                        angles[channel] = position * frequency
                        channel += 1
                    }
                }
            }
        }
        let shape: Shape = [samples, prefix + count, headWidth / 2]
        cosine = Tensor(shape: shape, scalars: angles.map { cos($0) })
        sine = Tensor(shape: shape, scalars: angles.map { sin($0) })
    }

    /// The exponents i/width of an axis, width its share of the channels.
    public static func exponents(headWidth: Int) -> [[Float]] {
        let first = headWidth / 8
        return [first, (headWidth - first) / 2, (headWidth - first) / 2].map { width in
            stride(from: 0, to: width, by: 2).map { Float($0) / Float(width) }
        }
    }

    private static func frequencies(headWidth: Int, theta: Float) -> [[Float]] {
        exponents(headWidth: headWidth).map { $0.map { 1 / pow(theta, $0) } }
    }

    /// Coordinates (time, row, column) of every token of `frames` grids, `[1, L, 3]`.
    public static func positions(frames: Int = 1, grid: TokenGrid) -> Tensor {
        var scalars: [Float] = []
        for t in 0..<frames {
            for y in 0..<grid.height {
                for x in 0..<grid.width { scalars += [Float(t), Float(y), Float(x)] }
            }
        }
        return Tensor(shape: [1, frames * grid.count, 3], scalars: scalars)
    }
}
