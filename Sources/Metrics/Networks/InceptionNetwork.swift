import Images
import Tensors

/// How an 8-bit image becomes the FID network's input; a score means nothing without naming it.
public enum InceptionMode: String, Sendable, CaseIterable {
    /// TensorFlow 1's bilinear, (x − 128)/128: TTUR, torch-fidelity, ADM, StyleGAN, EDM.
    case tensorFlow1 = "tf1"
    /// PyTorch's bilinear of x/255, 2x − 1: pytorch-fid.
    case pytorchFID = "pytorch-fid"
    /// Pillow's antialiased bicubic in floating point, clipped, (x − 128)/128: clean-fid.
    case clean

    /// - Parameter image: 3 channels, 0…255.
    /// - Returns: `[1, 299, 299, 3]`.
    public func input(_ image: PixelGrid) -> Tensor {
        let resized = resized(image)
        let scaled = self == .pytorchFID ? resized * 2 - 1 : (resized - 128) / 128
        return scaled.reshaped(Shape([1] + resized.shape.extents))
    }

    /// The image at 299×299, `[299, 299, C]`: 0…1 in the mode of pytorch-fid, else 0…255.
    public func resized(_ image: PixelGrid, order: ResizeOrder = .horizontalFirst) -> Tensor {
        let side = InceptionNetwork.side
        let pixels = Tensor(
            shape: [image.height, image.width, image.channels], scalars: image.values.map { Float($0) })
        switch self {
        case .tensorFlow1: return pixels.interpolated(height: side, width: side, .tensorFlow1)
        case .pytorchFID: return (pixels / 255).interpolatedUnfused(height: side, width: side)
        case .clean:
            let resized = pixels.resampled(height: side, width: side, filter: .bicubic, order: order)
            return Tensor(shape: resized.shape, scalars: resized.scalars.map { min(max($0, 0), 255) })
        }
    }
}

/// The Inception-v3 of 2015-12-05 that the FID is defined by (Szegedy et al., arXiv 1512.00567; Heusel et al.,
/// arXiv 1706.08500), with the parameter names of pytorch-fid and torch-fidelity.
///
/// Differs from torchvision's: mean pools count only samples inside the image, the last block pools by maximum, 1008
/// outputs.
public struct InceptionNetwork: Sendable {
    public static let side = 299
    public static let dimensions = 2048
    static let outputs = 1008
    private static let stages = [
        "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "Mixed_5b",
        "Mixed_5c",
        "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b",
        "Mixed_7c",
    ]

    private let blocks: [(name: String, block: InceptionBlock)]
    private let head: (weight: Tensor, bias: Tensor)

    /// What the metrics use of the network, `[N, …]`.
    public struct Features: Sendable {
        /// Spatial means after the first pool (64), the second (192), Mixed_6e (768) and at the end (2048).
        public fileprivate(set) var taps: [Int: Tensor] = [:]
        /// sFID's: 7 channels of the first branch of Mixed_6d at every place, flattened (2023).
        public fileprivate(set) var spatial: Tensor?
        /// W·pool without bias, the form that published Inception Scores use, and with bias.
        public fileprivate(set) var unbiasedLogits: Tensor?
        public fileprivate(set) var logits: Tensor?

        /// The FID's 2048 features.
        public var pooled: Tensor? { taps[2048] }
    }

    /// - Throws: `CheckpointFileError` when a tensor is missing or misshapen.
    public init(_ source: WeightSource) throws {
        blocks = try Self.stages.compactMap { name in
            try InceptionBlock.named(name, in: source).map { (name, $0) }
        }
        head = (
            Tensor(
                shape: [Self.outputs, Self.dimensions],
                scalars: try source("fc.weight", [Self.outputs, Self.dimensions])),
            Tensor(shape: [Self.outputs], scalars: try source("fc.bias", [Self.outputs]))
        )
    }

    /// - Parameters:
    ///   - images: `[N, 299, 299, 3]`, scaled by an `InceptionMode`.
    ///   - observe: sees the output of every stage by name.
    public func features(_ images: Tensor, observe: (String, Tensor) -> Void = { _, _ in }) -> Features {
        var features = Features()
        var x = images
        for (name, block) in blocks {
            x = block(x)
            observe(name, x)
            switch name {
            case "Conv2d_2b_3x3":
                x = x.pooled(.max, size: 3, stride: 2)
                features.taps[64] = x.spatialMean()
            case "Conv2d_4a_3x3":
                x = x.pooled(.max, size: 3, stride: 2)
                features.taps[192] = x.spatialMean()
            case "Mixed_6d":
                // The first branch comes first in the joined channels.
                let branch = x.channels(0..<7)
                features.spatial = branch.reshaped([branch.shape[0], branch.elementCount / branch.shape[0]])
            case "Mixed_6e": features.taps[768] = x.spatialMean()
            case "Mixed_7c": features.taps[2048] = x.spatialMean()
            default: break
            }
        }
        if let pooled = features.pooled {
            features.unbiasedLogits = pooled.linear(head.weight)
            features.logits = pooled.linear(head.weight, bias: head.bias)
        }
        return features
    }
}
