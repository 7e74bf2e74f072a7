import Checkpoints
import Images
import Tensors

/// LPIPS (Zhang et al., arXiv 1801.03924): the difference of two images in the eyes of a classifier, weighted per
/// channel by what people see.
///
/// Per tap the features are scaled to unit length over the channels, their squared differences weighted by the head
/// and averaged over space; the taps are summed.
public struct PerceptualDistance: Sendable {
    public enum Backbone: String, Sendable, CaseIterable {
        case alex, vgg, squeeze

        /// Channels of the taps.
        public var channels: [Int] {
            switch self {
            case .alex: [64, 192, 384, 256, 256]
            case .vgg: [64, 128, 256, 512, 512]
            case .squeeze: [64, 128, 256, 384, 384, 512, 512]
            }
        }

        /// The least side the network's pools leave something of.
        public var smallestSide: Int { self == .alex ? 32 : 17 }
    }

    public let backbone: Backbone
    private let trunk: PerceptualTrunk
    let heads: [[Float]]
    private static let shift: [Float] = [-0.030, -0.088, -0.188]
    private static let scale: [Float] = [0.458, 0.448, 0.450]

    /// - Parameters:
    ///   - trunk: torchvision's `features.N.{weight, bias}`.
    ///   - heads: `lin{k}.model.1.weight`, `[1, C, 1, 1]`.
    /// - Throws: `CheckpointFileError` when a tensor is missing or misshapen.
    public init(_ backbone: Backbone, trunk: WeightSource, heads: WeightSource) throws {
        self.backbone = backbone
        self.trunk = try PerceptualTrunk(backbone, trunk)
        self.heads = try backbone.channels.enumerated().map { tap, channels in
            try heads("lin\(tap).model.1.weight", [1, channels, 1, 1])
        }
    }

    /// - Parameters:
    ///   - trunkPath: torchvision's weights of the network, or a saved LPIPS module.
    ///   - headPath: the published `alex.pth`, `vgg.pth` or `squeeze.pth`; nil when the first file has them.
    public init(_ backbone: Backbone, trunkPath: String, headPath: String?) throws {
        let trunk = try Self.plainNames(WeightsFile.read(path: trunkPath))
        let heads = try headPath.map { try WeightsFile.read(path: $0) } ?? trunk
        try self.init(
            backbone, trunk: WeightSource(trunk, file: trunkPath),
            heads: WeightSource(heads, file: headPath ?? trunkPath))
    }

    /// A saved module names its trunk `net.sliceK.N`, torchvision `features.N`.
    private static func plainNames(_ tensors: [StoredTensor]) -> [StoredTensor] {
        tensors.map { tensor in
            let parts = tensor.name.split(separator: ".")
            guard parts.count > 3, parts[0] == "net", parts[1].hasPrefix("slice") else { return tensor }
            var renamed = tensor
            renamed.name = "features." + parts.dropFirst(2).joined(separator: ".")
            return renamed
        }
    }

    /// One value per pair and what it is made of.
    public struct Value: Sendable {
        /// Sum over the taps, one per pair.
        public let values: [Double]
        /// `[N][taps]`.
        public let perTap: [[Double]]
        /// Without the heads' weights: every channel counts 1.
        public let unweighted: [Double]
    }

    /// The taps' features of images `[N, H, W, 3]` in −1…1.
    /// - Parameter scalesInput: false for the first release (v0.0), which lacked the scaling.
    public func taps(_ images: Tensor, scalesInput: Bool = true) -> [Tensor] {
        trunk.taps(scalesInput ? Self.scaled(images) : images)
    }

    /// Of pairs `[N, H, W, 3]` in −1…1.
    /// - Throws: `MetricError` when the sizes differ or are too small for the network.
    public func callAsFunction(_ a: Tensor, _ b: Tensor, scalesInput: Bool = true) throws -> Value {
        try check(a, b)
        let pairs = zip(taps(a, scalesInput: scalesInput), taps(b, scalesInput: scalesInput))
        let maps = zip(pairs, heads).map { pair, head in Self.maps(pair.0, pair.1, head) }
        let count = a.shape[0]
        let perTap = (0..<count).map { n in maps.map { Self.mean($0.weighted, n, of: count) } }
        return Value(
            values: perTap.map { $0.reduce(0, +) }, perTap: perTap,
            unweighted: (0..<count).map { n in
                maps.reduce(0) { $0 + Self.mean($1.plain, n, of: count) }
            })
    }

    /// The difference at every pixel, `[N, H, W]`: each tap's map enlarged bilinearly, summed.
    public func spatial(_ a: Tensor, _ b: Tensor) throws -> [Double] {
        try check(a, b)
        let (count, height, width) = (a.shape[0], a.shape[1], a.shape[2])
        var sum = [Double](repeating: 0, count: count * height * width)
        for ((x, y), head) in zip(zip(taps(a), taps(b)), heads) {
            let map = Self.maps(x, y, head).weighted.map { Float($0) }
            let size = x.shape[1] * x.shape[2]
            for n in 0..<count {
                let plane = Tensor(
                    shape: [x.shape[1], x.shape[2], 1], scalars: Array(map[n * size..<(n + 1) * size]))
                let large = plane.interpolated(height: height, width: width, .bilinear).scalars
                for i in large.indices { sum[n * height * width + i] += Double(large[i]) }
            }
        }
        return sum
    }

    /// Of two images of one size.
    public func callAsFunction(_ a: PixelGrid, _ b: PixelGrid) throws -> Double {
        try callAsFunction(Self.input(a), Self.input(b)).values[0]
    }

    private static func input(_ image: PixelGrid) -> Tensor {
        let isGrey = image.channels < 3
        let scalars = (0..<image.pixelCount * 3).map { i in
            Float(image.values[i / 3 * image.channels + (isGrey ? 0 : i % 3)] / 127.5 - 1)
        }
        return Tensor(shape: [1, image.height, image.width, 3], scalars: scalars)
    }

    private func check(_ a: Tensor, _ b: Tensor) throws {
        guard a.shape == b.shape, a.shape.rank == 4, a.shape[3] == 3 else {
            throw MetricError("LPIPS needs two images of one size, not \(a.shape) and \(b.shape).")
        }
        let least = backbone.smallestSide
        guard min(a.shape[1], a.shape[2]) >= least else {
            throw MetricError(
                "LPIPS with \(backbone.rawValue) needs sides of at least \(least) pixels, the image is "
                    + "\(a.shape[2])×\(a.shape[1]).")
        }
    }

    private static func scaled(_ images: Tensor) -> Tensor {
        (images - Tensor(shape: [3], scalars: shift)) / Tensor(shape: [3], scalars: scale)
    }

    /// Per place the weighted and the plain sum over channels of the squared difference of unit vectors.
    private static func maps(_ a: Tensor, _ b: Tensor, _ head: [Float]) -> (
        weighted: [Double], plain: [Double]
    ) {
        let channels = head.count
        let count = a.elementCount / channels
        var (weighted, plain) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
        a.withScalars { x in
            b.withScalars { y in
                for place in 0..<count {
                    let start = place * channels
                    var (normX, normY) = (0.0, 0.0)
                    for c in start..<start + channels {
                        normX += Double(x[c]) * Double(x[c])
                        normY += Double(y[c]) * Double(y[c])
                    }
                    let (scaleX, scaleY) = (
                        1 / (normX.squareRoot() + 1e-10), 1 / (normY.squareRoot() + 1e-10)
                    )
                    for c in 0..<channels {
                        let d = Double(x[start + c]) * scaleX - Double(y[start + c]) * scaleY
                        weighted[place] += Double(head[c]) * d * d
                        plain[place] += d * d
                    }
                }
            }
        }
        return (weighted, plain)
    }

    private static func mean(_ map: [Double], _ n: Int, of count: Int) -> Double {
        let size = map.count / count
        return map[n * size..<(n + 1) * size].reduce(0, +) / Double(size)
    }
}
