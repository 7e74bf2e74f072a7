import Layers
import Tensors

/// What a NAFNet is built from.
public struct NAFNetConfiguration: Sendable, Hashable, Codable {
    public var imageChannels = 3
    /// Channels at full resolution; every level below has twice as many.
    public var width = 32
    /// Blocks of each level, full resolution first.
    public var encoderBlocks: [Int]
    public var middleBlocks: Int
    /// Blocks of each level on the way back, lowest resolution first.
    public var decoderBlocks: [Int]
    /// Channels of the depthwise convolution relative to the block's.
    public var mixerExpansion = 2
    /// Channels of the feed-forward relative to the block's.
    public var feedForwardExpansion = 2
    public var kernel = ConvolutionKernel.standard
    /// Height and width of the crops the network was trained on, when its global means are to be local ones of
    /// that size at inference (TLC, arXiv 2112.04491): used for the published GoPro and REDS models, not for SIDD.
    public var localTrainingSize: [Int]?

    public init(
        imageChannels: Int = 3, width: Int = 32, encoderBlocks: [Int], middleBlocks: Int,
        decoderBlocks: [Int],
        kernel: ConvolutionKernel = .standard
    ) {
        (self.imageChannels, self.width, self.kernel) = (imageChannels, width, kernel)
        (self.encoderBlocks, self.middleBlocks) = (encoderBlocks, middleBlocks)
        self.decoderBlocks = decoderBlocks
    }

    /// The published models (arXiv 2204.04676; megvii-research/NAFNet, `options/test`).
    public static let presets: [String: NAFNetConfiguration] = [
        "nafnet-sidd-32": .sidd(width: 32), "nafnet-sidd-64": .sidd(width: 64),
        "nafnet-gopro-32": .gopro(width: 32), "nafnet-gopro-64": .gopro(width: 64),
        "nafnet-reds-64": .gopro(width: 64),
    ]

    private static func sidd(width: Int) -> NAFNetConfiguration {
        NAFNetConfiguration(
            width: width, encoderBlocks: [2, 2, 4, 8], middleBlocks: 12, decoderBlocks: [2, 2, 2, 2])
    }

    private static func gopro(width: Int) -> NAFNetConfiguration {
        var result = NAFNetConfiguration(
            width: width, encoderBlocks: [1, 1, 1, 28], middleBlocks: 1, decoderBlocks: [1, 1, 1, 1])
        result.localTrainingSize = [256, 256]
        return result
    }

    /// Images are padded to multiples of this.
    public var sizeMultiple: Int { 1 << encoderBlocks.count }

    /// - Throws: `ConfigurationError` for numbers that make no network.
    public func validate() throws {
        guard encoderBlocks.count == decoderBlocks.count else {
            throw ConfigurationError(
                field: "decoderBlocks",
                demand:
                    "as many levels as encoderBlocks, \(encoderBlocks.count), found \(decoderBlocks.count)")
        }
        guard width > 0, imageChannels > 0 else {
            throw ConfigurationError(
                field: "width and imageChannels", demand: "above 0, found \(width) and \(imageChannels)")
        }
        if let size = localTrainingSize, size.count != 2 || size.contains(where: { $0 <= 0 }) {
            throw ConfigurationError(
                field: "localTrainingSize", demand: "a height and a width, found \(size)")
        }
    }

    /// The box of the local mean at a level, in that level's pixels; nil for global means.
    func localBox(level: Int) -> (height: Int, width: Int)? {
        guard let size = localTrainingSize, size.count == 2 else { return nil }
        func extent(_ trained: Int) -> Int {
            let padded = (trained + sizeMultiple - 1) / sizeMultiple * sizeMultiple
            return (padded >> level) * (3 * trained / 2) / trained
        }
        return (extent(size[0]), extent(size[1]))
    }

    /// Names and shapes of everything a checkpoint of this model holds.
    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = NAFNet(store.scope, self)
        return store.shapes
    }
}
