import Tensors

/// A batch of samples in double precision: the state of a sampler.
///
/// Solver arithmetic costs nothing beside a network, so it is done in `Double` and rounds to `Float` only at
/// the network's door. Shape `[N, H, W, C]` (any rank with the batch first works), memory order as `Tensor`.
public struct Latent: Sendable, Equatable {
    public let shape: Shape
    public var values: [Double]

    public init(shape: Shape, values: [Double]) {
        precondition(
            values.count == shape.elementCount, "\(values.count) values do not fill a latent \(shape)")
        self.shape = shape
        self.values = values
    }

    public init(repeating value: Double, shape: Shape) {
        self.shape = shape
        values = Array(repeating: value, count: shape.elementCount)
    }

    public init(_ tensor: Tensor) {
        shape = tensor.shape
        values = tensor.withScalars { $0.map(Double.init) }
    }

    /// The same numbers rounded to float32.
    public var tensor: Tensor {
        let result = Tensor.uninitialized(shape)
        result.withMutableScalars { target in
            values.withUnsafeBufferPointer { source in
                for i in 0..<source.count { target[i] = Float(source[i]) }
            }
        }
        return result
    }

    public var sampleCount: Int { shape[0] }

    /// Scalars in one sample (H·W·C).
    public var sampleSize: Int { sampleCount == 0 ? 0 : values.count / sampleCount }

    /// The samples in `range`, as a smaller batch.
    public func samples(in range: Range<Int>) -> Latent {
        let size = sampleSize
        return Latent(
            shape: Shape([range.count] + shape.extents.dropFirst()),
            values: Array(values[range.lowerBound * size..<range.upperBound * size]))
    }

    /// This batch followed by another one.
    public func appending(_ other: Latent) -> Latent {
        precondition(
            shape.extents.dropFirst() == other.shape.extents.dropFirst(),
            "batches of \(shape) and \(other.shape) cannot be joined")
        return Latent(
            shape: Shape([sampleCount + other.sampleCount] + shape.extents.dropFirst()),
            values: values + other.values)
    }

    /// The channels in `range` of every pixel.
    public func channels(in range: Range<Int>) -> Latent {
        let count = shape.channels
        guard range != 0..<count else { return self }
        var result: [Double] = []
        result.reserveCapacity(shape.rows * range.count)
        for row in 0..<shape.rows {
            result.append(contentsOf: values[row * count + range.lowerBound..<row * count + range.upperBound])
        }
        return Latent(shape: Shape(shape.extents.dropLast() + [range.count]), values: result)
    }
}

extension Latent {
    /// The channels of this latent, then those of another, pixel by pixel.
    public func joiningChannels(_ other: Latent) -> Latent {
        precondition(shape.rows == other.shape.rows, "channels of \(shape) and \(other.shape) do not join")
        let (first, second) = (shape.channels, other.shape.channels)
        var result: [Double] = []
        result.reserveCapacity(values.count + other.values.count)
        for row in 0..<shape.rows {
            result.append(contentsOf: values[row * first..<(row + 1) * first])
            result.append(contentsOf: other.values[row * second..<(row + 1) * second])
        }
        return Latent(shape: Shape(shape.extents.dropLast() + [first + second]), values: result)
    }
}
