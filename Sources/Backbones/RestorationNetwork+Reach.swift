/// How far a restored pixel looks, and on which grid: what cutting an image into tiles must respect.
extension RestorationNetwork {
    /// Channels of the images it takes.
    public var imageChannels: Int {
        switch self {
        case .dncnn(let configuration): configuration.imageChannels
        case .ffdnet(let configuration): configuration.imageChannels
        case .drunet(let configuration): configuration.imageChannels
        case .nafnet(let configuration): configuration.imageChannels
        case .dico(let configuration): configuration.inputChannels
        }
    }

    /// Channels of its widest features at full resolution, for an estimate of memory.
    public var featureWidth: Int {
        switch self {
        case .dncnn(let configuration): configuration.width
        case .ffdnet(let configuration): max(1, configuration.width / 4)
        case .drunet(let configuration): configuration.widths.first ?? 64
        case .nafnet(let configuration): configuration.width * configuration.mixerExpansion
        case .dico(let configuration):
            // The last stage has twice the width, and its feed-forward mlpRatio times that.
            max(
                1,
                Int(2 * Double(configuration.hiddenSize) * max(1, configuration.mlpRatio))
                    / (configuration.patchSize * configuration.patchSize))
        }
    }

    /// A network that halves the image n times gives the same result only when moved by multiples of 2ⁿ.
    public var sizeMultiple: Int {
        switch self {
        case .dncnn: 1
        case .ffdnet: 2
        case .drunet: 8
        case .nafnet(let configuration): configuration.sizeMultiple
        case .dico(let configuration): configuration.sizeMultiple
        }
    }

    /// Pixels in each direction that a restored pixel depends on, means over the whole image not counted.
    public var receptiveRadius: Int {
        switch self {
        case .dncnn(let configuration): return configuration.depth
        // Every position is a cell of 2×2 pixels.
        case .ffdnet(let configuration): return 2 * configuration.depth + 2
        case .drunet(let configuration):
            let convolutions = 2 * configuration.blockCount
            let levels = (0..<3).reduce(0) { $0 + 2 * convolutions << $1 }
            return 2 + levels + convolutions << 3 + 2 * (1 << 3 - 1)
        case .nafnet(let configuration):
            let levels = configuration.encoderBlocks.count
            let counts = zip(configuration.encoderBlocks, configuration.decoderBlocks.reversed())
            let blocks = counts.enumerated().reduce(0) { $0 + ($1.element.0 + $1.element.1) << $1.offset }
            return 2 + blocks + configuration.middleBlocks << levels + 2 * (1 << levels - 1)
        case .dico(let configuration): return configuration.receptiveRadius
        }
    }

    /// Whether every pixel depends on the whole image, by means of channels or by attention.
    public var hasGlobalMeans: Bool {
        switch self {
        case .dncnn, .ffdnet, .drunet: false
        case .nafnet(let configuration): configuration.localTrainingSize == nil
        case .dico(let configuration):
            configuration.localTrainingSize == nil || configuration.mixer != .convolution
        }
    }

    /// Pixels in each direction that a local mean looks: half of its box; 0 where there are none.
    public var meanRadius: Int {
        switch self {
        case .dncnn, .ffdnet, .drunet: 0
        case .nafnet(let configuration): (configuration.localTrainingSize?.max() ?? 0) * 3 / 4
        case .dico(let configuration): (configuration.localTrainingSize?.max() ?? 0) * 3 / 4
        }
    }

    /// Noise levels that the published models of a network that is told the level were trained for.
    public var publishedSigmas: ClosedRange<Double>? {
        switch self {
        case .dncnn(let configuration): configuration.takesNoiseLevel ? 0...75 : nil
        case .ffdnet: 0...75
        case .drunet: 0...50
        case .nafnet, .dico: nil
        }
    }

    /// Whether it must be told the noise level.
    public var takesNoiseLevel: Bool {
        switch self {
        case .dncnn(let configuration): configuration.takesNoiseLevel
        case .ffdnet, .drunet, .dico: true
        case .nafnet: false
        }
    }
}
