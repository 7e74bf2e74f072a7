import Checkpoints
import Tensors

/// FeatNet-32: a small classifier whose 128 pooled features measure the likeness of image sets (`fd-feat`).
///
/// Input 32×32 RGB, x/127.5 − 1; five units of 3×3 convolution, batch normalisation and ReLU with 32, 48, 64, 96
/// and 128 channels and strides 2, 1, 2, 1, 2; spatial mean; a linear layer to the class logits. The weights
/// that come with the project were trained on CIFAR-10 (`samplers/weights/featnet-cifar10.safetensors`).
public struct FeatNet: Sendable {
    public static let dimensions = 128
    public static let side = 32
    private static let channels = [32, 48, 64, 96, 128]
    private static let strides = [2, 1, 2, 1, 2]
    private static let normalizationEpsilon = 1e-5
    /// Images go through in groups of this size, the last one filled up, so that a feature depends on its image only.
    static let groupSize = 64

    /// Convolutions with the batch normalisation folded in.
    private let units: [(weight: Tensor, bias: Tensor)]
    private let head: (weight: Tensor, bias: Tensor)
    /// Identifies the weights; distances of features from different weights mean nothing.
    public let digest: String

    /// - Parameter path: a safetensors file with `cs.{0…4}.weight`, `bs.{0…4}.{weight, bias, running_mean,
    ///   running_var}`, `fc.{weight, bias}`.
    /// - Throws: `FileError`, `CheckpointFileError` when the file cannot be read or a tensor is missing or misshapen.
    public init(path: String) throws { try self.init(SafetensorsFile(path: path)) }

    /// - Parameter prefix: what the file's names begin with.
    public init(_ file: SafetensorsFile, prefix: String = "") throws {
        let source = WeightSource(file, prefix: prefix)
        units = try Self.channels.indices.map { try Self.unit($0, source) }
        let classes = try file.tensor(named: prefix + "fc.bias").elementCount
        head = (
            Tensor(
                shape: [classes, Self.dimensions],
                scalars: try source("fc.weight", [classes, Self.dimensions])),
            Tensor(shape: [classes], scalars: try source("fc.bias", [classes]))
        )
        digest = file.dataDigest()
    }

    /// Convolution i with its normalisation folded in.
    private static func unit(_ i: Int, _ source: WeightSource) throws -> (weight: Tensor, bias: Tensor) {
        let (inputs, outputs) = (i == 0 ? 3 : channels[i - 1], channels[i])
        let folded = try FoldedConvolution(
            weight: source("cs.\(i).weight", [outputs, inputs, 3, 3]), normalization: source / "bs.\(i)",
            channels: outputs, epsilon: normalizationEpsilon)
        return (
            Tensor(shape: [outputs, inputs, 3, 3], scalars: folded.weight),
            Tensor(shape: [outputs], scalars: folded.bias)
        )
    }

    /// What every unit gives for `[N, 32, 32, 3]` in −1…1, pooled over space: `[N, C]` each.
    public func taps(_ images: Tensor) -> [Tensor] {
        precondition(
            images.shape.rank == 4 && images.shape[1] == Self.side && images.shape[3] == 3,
            "FeatNet needs [N, 32, 32, 3], not \(images.shape)")
        var x = images
        return zip(units, Self.strides).map { unit, stride in
            x = x.convolved(
                with: unit.weight, bias: unit.bias, stride: stride, padding: 1, activation: .relu)
            return x.spatialMean()
        }
    }

    /// Class logits `[N, classes]` of pooled features `[N, 128]`.
    public func logits(features: Tensor) -> Tensor { features.linear(head.weight, bias: head.bias) }

    /// The features of images (0…255, 3 channels; others than 32×32 are resized), a row each.
    public func features(of images: [PixelGrid]) -> Matrix {
        let size = Self.side * Self.side * 3
        var rows: [Double] = []
        rows.reserveCapacity(images.count * Self.dimensions)
        for start in stride(from: 0, to: images.count, by: Self.groupSize) {
            let group = images[start..<min(start + Self.groupSize, images.count)]
            let batch = Tensor.zeros([Self.groupSize, Self.side, Self.side, 3])
            batch.withMutableScalars { target in
                for (n, image) in group.enumerated() {
                    let small = image.resized(height: Self.side, width: Self.side)
                    for i in 0..<size { target[n * size + i] = Float(small.values[i]) / 127.5 - 1 }
                }
            }
            let pooled = taps(batch)[Self.channels.count - 1].scalars
            rows += pooled.prefix(group.count * Self.dimensions).map(Double.init)
        }
        return Matrix(rows: images.count, columns: Self.dimensions, values: rows)
    }
}
