import Layers

/// Whatever takes the seat between a block's norm and its residual.
public enum DiCoMixer: String, Codable, Hashable, Sendable, CaseIterable {
    /// DiCo's own convolution module.
    case convolution
    /// LINA's linear attention in its division form.
    case linearAttention
    case softmaxAttention
}

/// What a DiCo is built from. The defaults are the published constructor's.
public struct DiCoConfiguration: Codable, Hashable, Sendable {
    /// Channels of the images or latents.
    public var inputChannels = 4
    /// Channels of the prediction; absent for as many as go in. A band of a picture has fewer than what it is predicted
    /// from.
    public var predictedChannels: Int?
    /// Width D of the first level; the others have 2D and 4D.
    public var hiddenSize: Int
    /// Blocks in encoder 1, encoder 2, latent, decoder 2, decoder 1.
    public var depth: [Int]
    /// Width of the feed-forward relative to the block.
    public var mlpRatio: Double = 2
    /// 0 makes an unconditional model.
    public var classCount = 1000
    /// Probability of training without the label; above 0 the tables have a row for "no class".
    public var classDropout: Double = 0.1
    /// Whether the output carries as many variance channels again.
    public var learnSigma = true
    /// Side of the cells folded into channels before the first convolution (1, 2 or 4): the network then works at
    /// 1/patchSize of the resolution, which makes pixel-space training affordable on small machines.
    public var patchSize = 1
    /// What mixes positions in every block; the settings below are for attention.
    public var mixer = DiCoMixer.convolution
    /// Channels of an attention head.
    public var mixerHeadSize = 64
    /// Whether a depthwise 5×5 convolution stands beside linear attention.
    public var mixerConvolution = true
    /// Side of the grid on which linear attention keeps a factor for every key and value, resized to the image; 0 for
    /// none.
    public var mixerGateSize = 0
    /// In every convolution; tunable kernels are for denoisers, whose users set their parameters.
    public var kernel = ConvolutionKernel.standard
    /// Height and width of the training's images, when the means of the channel attention are to be local ones of that
    /// reach at inference (TLC, arXiv 2112.04491).
    public var localTrainingSize: [Int]?

    public init(
        inputChannels: Int = 4, hiddenSize: Int, depth: [Int], mlpRatio: Double = 2, classCount: Int = 1000,
        classDropout: Double = 0.1, learnSigma: Bool = true, patchSize: Int = 1, predictedChannels: Int? = nil
    ) {
        self.inputChannels = inputChannels
        self.predictedChannels = predictedChannels
        self.hiddenSize = hiddenSize
        self.depth = depth
        self.mlpRatio = mlpRatio
        self.classCount = classCount
        self.classDropout = classDropout
        self.learnSigma = learnSigma
        self.patchSize = patchSize
    }

    /// The published sizes (arXiv 2505.11196, Table 7).
    public static let presets: [String: DiCoConfiguration] = [
        "dico-s": DiCoConfiguration(hiddenSize: 128, depth: [5, 4, 4, 4, 4]),
        "dico-b": DiCoConfiguration(hiddenSize: 256, depth: [5, 4, 4, 4, 4]),
        "dico-l": DiCoConfiguration(hiddenSize: 352, depth: [9, 8, 9, 8, 9]),
        "dico-xl": DiCoConfiguration(hiddenSize: 416, depth: [9, 9, 10, 9, 9]),
        "dico-h": DiCoConfiguration(hiddenSize: 416, depth: [14, 12, 10, 12, 14], mlpRatio: 4),
    ]

    /// Channels of the answer: the prediction's, and as many variance channels again where they are learned.
    public var outputChannels: Int { (learnSigma ? 2 : 1) * (predictedChannels ?? inputChannels) }

    /// Height and width must be multiples of this.
    public var sizeMultiple: Int { 4 * patchSize }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        try require(inputChannels > 0, "inputChannels", "at least 1, found \(inputChannels)")
        try require(
            predictedChannels ?? 1 > 0, "predictedChannels", "at least 1, found \(predictedChannels ?? 0)")
        try require(
            hiddenSize > 0 && hiddenSize % 2 == 0, "hiddenSize", "a positive even number, found \(hiddenSize)"
        )
        try require(
            depth.count == 5 && depth.allSatisfy { $0 >= 0 }, "depth",
            "five block counts of at least 0, found \(depth)")
        try require(
            mlpRatio.isFinite && mlpRatio * Double(hiddenSize) >= 1, "mlpRatio", "positive, found \(mlpRatio)"
        )
        try require(classCount >= 0, "classCount", "at least 0, found \(classCount)")
        try require(
            (0..<1).contains(classDropout), "classDropout", "at least 0 and below 1, found \(classDropout)")
        try require([1, 2, 4].contains(patchSize), "patchSize", "1, 2 or 4, found \(patchSize)")
        try require(
            mixer == .convolution || mixerHeadSize > 0 && hiddenSize % mixerHeadSize == 0, "mixerHeadSize",
            "a divisor of the hidden size \(hiddenSize), found \(mixerHeadSize)")
        try require(mixerGateSize >= 0, "mixerGateSize", "at least 0, found \(mixerGateSize)")
        try require(
            localTrainingSize.map { $0.count == 2 && $0.allSatisfy { $0 > 0 } } ?? true, "localTrainingSize",
            "a height and a width, found \(localTrainingSize ?? [])")
    }

    /// - Throws: `ConfigurationError` for a network that predicts something else than what goes in.
    public func validateWholeImages() throws {
        guard predictedChannels ?? inputChannels == inputChannels else {
            throw ConfigurationError(
                field: "predictedChannels",
                demand: "left out: a denoiser of images predicts as many channels as go in")
        }
    }
}

extension DiCoConfiguration {
    /// The mixer of a block of the given width.
    /// - Parameter level: how often the block's map was halved.
    func makeMixer(_ scope: Scope, channels: Int, level: Int) -> any SpatialMixer {
        let heads = max(1, channels / max(1, mixerHeadSize))
        switch mixer {
        case .convolution:
            return ConvolutionMixer(scope, channels: channels, kernel: kernel, box: localBox(level: level))
        case .softmaxAttention:
            return TokenMixerSeat(
                SoftmaxAttention(
                    scope / "attn", width: channels, heads: heads, normalizesQueriesAndKeys: true))
        case .linearAttention:
            var linear = LinearAttentionConfiguration(heads: heads)
            linear.locality = mixerConvolution ? .depthwise : .none
            if mixerGateSize > 0 {
                linear.gate = .keysAndValues
                linear.gateTable = GateTable(height: mixerGateSize, width: mixerGateSize, fit: .interpolated)
            }
            return TokenMixerSeat(LinearAttention(scope / "attn", width: channels, linear))
        }
    }

    /// The box of the local mean at a level: 1½ of what a training image measures there; nil for global means.
    private func localBox(level: Int) -> (height: Int, width: Int)? {
        guard let size = localTrainingSize, size.count == 2 else { return nil }
        func extent(_ trained: Int) -> Int {
            let padded = (trained + sizeMultiple - 1) / sizeMultiple * sizeMultiple
            return max(1, ((padded / patchSize) >> level) * 3 / 2)
        }
        return (extent(size[0]), extent(size[1]))
    }
}
