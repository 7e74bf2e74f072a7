import Autoregression
import Backbones
import Layers

/// A continuous next-frequency model in pixels: a cosine pyramid whose grids double, and one network that draws the
/// band of each level, given the image below it (`specs/nfig.md`, section 12).
public struct NextFrequencyConfiguration: Settings, Hashable {
    /// The levels' sizes from coarse to fine, each twice the one before; the last is the size of the images.
    public var grids: [Grid]
    /// 3 for colour, 1 for grey.
    public var channels = 3
    /// 0 makes an unconditional model.
    public var classCount = 0
    /// Probability of training without the label.
    public var classDropout = 0.1
    /// Whether the network answers with variance channels as well.
    public var learnSigma = false
    /// Noise on the image below, in training and in sampling.
    public var contextNoise = ContextNoise()
    /// Share of each level in a batch; absent for the root of its number of tokens.
    public var levelShares: [Double]?
    /// What draws a band: the network as its denoiser, or a small one for each token.
    public var head = BandHeadSettings.joint
    /// The network. Its channels and labels follow from the settings above.
    public var backbone: DiCoConfiguration
    /// What brings every band to unit size; measured on the training data when absent.
    public var normalization: OctaveNormalization?

    public init(grids: [Grid], backbone: DiCoConfiguration) {
        self.grids = grids
        self.backbone = backbone
    }

    public static var defaults: NextFrequencyConfiguration {
        NextFrequencyConfiguration(grids: [], backbone: .defaults)
    }
    public static var requiredKeys: Set<String> { ["grids", "backbone"] }

    private enum Key: String, CodingKey {
        case grids, channels, classCount, classDropout, learnSigma, contextNoise, levelShares, head,
            backbone, normalization
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        grids = try container.decode([Grid].self, forKey: .grids)
        channels = try container.decode(Int.self, forKey: .channels)
        classCount = try container.decode(Int.self, forKey: .classCount)
        classDropout = try container.decode(Double.self, forKey: .classDropout)
        learnSigma = try container.decode(Bool.self, forKey: .learnSigma)
        contextNoise = try container.decode(ContextNoise.self, forKey: .contextNoise)
        levelShares = try container.decodeIfPresent([Double].self, forKey: .levelShares)
        head = try container.decodeIfPresent(BandHeadSettings.self, forKey: .head) ?? .joint
        normalization = try container.decodeIfPresent(OctaveNormalization.self, forKey: .normalization)
        backbone = .defaults
        try checkCounts()
        backbone = try .member(
            of: decoder, under: Key.backbone.rawValue, defaults: fitted(DiCoConfiguration.defaults))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(grids, forKey: .grids)
        try container.encode(channels, forKey: .channels)
        try container.encode(classCount, forKey: .classCount)
        try container.encode(classDropout, forKey: .classDropout)
        try container.encode(learnSigma, forKey: .learnSigma)
        try container.encode(contextNoise, forKey: .contextNoise)
        try container.encodeIfPresent(levelShares, forKey: .levelShares)
        // Left out where it is the only one that older versions know.
        if head != .joint { try container.encode(head, forKey: .head) }
        try container.encode(backbone, forKey: .backbone)
        try container.encodeIfPresent(normalization, forKey: .normalization)
    }

    private func checkCounts() throws {
        try Self.require(!grids.isEmpty, "grids", "sizes such as [4, 8, 16, 32], found none")
        try Self.require(
            grids.allSatisfy { (1...4096).contains($0.height) && (1...4096).contains($0.width) }, "grids",
            "of sides in 1…4096, found \(grids)")
        try Self.require(channels == 1 || channels == 3, "channels", "1 or 3, found \(channels)")
        try Self.require(
            (0...1_000_000).contains(classCount), "classCount", "in 0…1000000, found \(classCount)")
        try Self.require(
            (0..<1).contains(classDropout), "classDropout", "at least 0 and below 1, found \(classDropout)")
    }

    public func validate() throws {
        try checkCounts()
        try checkGrids()
        let wanted = fitted(backbone)
        func demand(_ field: String, _ found: some Equatable, _ expected: some Equatable, _ agree: Bool)
            throws
        {
            try Self.require(
                agree, "backbone.\(field)",
                "\(expected), as follows from grids, channels\(head == .joint ? "" : ", head") and classCount; found \(found); leave it out"
            )
        }
        let (a, b) = (backbone, wanted)
        try demand("inputChannels", a.inputChannels, b.inputChannels, a.inputChannels == b.inputChannels)
        try demand(
            "predictedChannels", a.predictedChannels ?? a.inputChannels, b.predictedChannels ?? 0,
            a.predictedChannels == b.predictedChannels)
        try demand("classCount", a.classCount, b.classCount, a.classCount == b.classCount)
        try demand("classDropout", a.classDropout, b.classDropout, a.classDropout == b.classDropout)
        try demand("learnSigma", a.learnSigma, b.learnSigma, a.learnSigma == b.learnSigma)
        try Self.require(
            backbone.kernel.kind != .tunable, "backbone.kernel", "standard or weighted for a generator")
        if let shares = levelShares {
            try Self.require(
                shares.count == grids.count && shares.allSatisfy { $0 > 0 && $0.isFinite }, "levelShares",
                "a positive number for each of the \(grids.count) grids, found \(shares)")
        }
        if let normalization {
            do {
                _ = try OctaveTokenizer(grids: grids, channels: channels, normalization: normalization)
            } catch let error as PyramidMismatch {
                throw ConfigurationError(
                    field: "normalization", demand: "that of these grids: \(error.description)")
            }
        }
    }

    private func checkGrids() throws {
        for (coarse, fine) in zip(grids, grids.dropFirst()) {
            try Self.require(
                fine.height == 2 * coarse.height && fine.width == 2 * coarse.width, "grids",
                "each twice the one before, as in [4, 8, 16, 32], found \(fine) after \(coarse)")
        }
        let multiple = backbone.sizeMultiple
        try Self.require(
            grids[0].height % multiple == 0 && grids[0].width % multiple == 0, "grids",
            "multiples of \(multiple) for this DiCo, found \(grids[0])")
        guard let settings = head.token else { return }
        let cell = settings.cell
        try Self.require(
            grids[0].height % cell == 0 && grids[0].width % cell == 0, "head.cell",
            "a divisor of the first grid's sides \(grids[0]), found \(cell)")
        // What is never hidden is never learned.
        let fewest = grids[0].count / (cell * cell)
        try Self.require(
            MaskSchedule.rounded.maskedCount(ratio: settings.masking.low, tokens: fewest) > 0,
            "head.masking.low",
            "large enough to hide one of the first level's \(fewest) tokens, found \(settings.masking.low)")
    }

    /// A network's settings with the channels and labels that the bands need.
    func fitted(_ network: DiCoConfiguration) -> DiCoConfiguration {
        var network = network
        // With a token head the network makes features, and is told which tokens are known.
        network.inputChannels = seat.inputChannels + (head.token == nil ? 0 : 1)
        network.predictedChannels = head.token?.features ?? seat.outputChannels
        network.classCount = seat.labelCount
        network.classDropout = 0
        network.learnSigma = learnSigma && head == .joint
        return network
    }

    /// How the network serves all levels.
    public var seat: BandSeat {
        BandSeat(levelCount: grids.count, channels: channels, classCount: classCount)
    }

    /// The grid that the network works on at a level: its own at the first, the one below after that.
    func tokenGrid(_ level: Int) -> Grid { grids[max(0, level - 1)] }

    /// Multiply–accumulates of one pass of the network at every level, by stage.
    var stageCosts: [(stage: String, parameters: Int, multiplyAccumulates: Int)] {
        let levels = grids.indices.map(tokenGrid).map {
            backbone.stageCosts(height: $0.height, width: $0.width)
        }
        return levels[0].indices.map { stage in
            let cost = levels[0][stage]
            return (
                cost.stage, cost.parameters,
                levels.reduce(0) { $0 + $1[stage].multiplyAccumulates }
            )
        }
    }
}
