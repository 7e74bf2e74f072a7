import Autoregression
import Backbones
import Layers
import Metrics
import Training

/// Which autoencoder: `{kind: frvae, codec: {width: 32}, quantizer: {vocabulary: 512}}`.
public enum AutoencoderModelSettings: TaggedSettings, Hashable {
    case frvae(FRVAEConfiguration)

    enum Kind: String, Codable, CaseIterable { case frvae }
    private enum Key: String, CodingKey { case kind }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .frvae: self = .frvae(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .frvae(let configuration):
            try container.encode(Kind.frvae, forKey: .kind)
            try configuration.encode(to: encoder)
        }
    }

    public var frvae: FRVAEConfiguration {
        switch self {
        case .frvae(let configuration): configuration
        }
    }

    /// What people call the network.
    public var name: String { "FR-VAE" }
}

/// What an autoencoder's reconstructions are scored by.
public struct AutoencoderLossSettings: Settings, Hashable {
    /// squared or absolute difference of pixels in −1…1, mean over all.
    public var pixel = FRVAELoss.PixelError.squared
    /// Weight of the error of the codes, mean over the levels.
    public var codeWeight = 1.0
    /// LPIPS; absent for none.
    public var perceptual: PerceptualSettings?
    /// A discriminator; absent for none.
    public var adversarial: AdversarialSettings?
    /// Gives codes that are hardly used a new place among the data; absent to leave them.
    public var restart: RestartSettings?

    public static var defaults: AutoencoderLossSettings { AutoencoderLossSettings() }

    public func validate() throws {
        try Self.require(
            codeWeight >= 0 && codeWeight.isFinite, "codeWeight", "at least 0, found \(codeWeight)")
    }
}

/// The distance of reconstructions and images in the eyes of a classifier (LPIPS, arXiv 1801.03924), by VGG-16. Its
/// weights do not come with this program.
public struct PerceptualSettings: Settings, Hashable {
    public var weight = 1.0
    /// torchvision's `vgg16-397923af.pth`, or a saved LPIPS module.
    public var trunk: String?
    /// `vgg.pth` of the LPIPS package; absent when the trunk's file has the heads too.
    public var heads: String?

    public static var defaults: PerceptualSettings { PerceptualSettings() }

    public func validate() throws {
        try Self.require(weight > 0 && weight.isFinite, "weight", "above 0, found \(weight)")
        try Self.require(
            trunk != nil, "trunk",
            "the weights of VGG-16, as in trunk: vgg16-397923af.pth with heads: vgg.pth of the LPIPS package; "
                + "leave out loss.perceptual to train without")
    }
}

/// A PatchGAN that tells reconstructions from images.
public struct AdversarialSettings: Settings, Hashable {
    public var weight = 0.5
    /// The step at which it begins to learn and to take part in the loss.
    public var startStep = 0
    /// Width of its first convolution.
    public var width = 64
    /// Convolutions that halve the resolution.
    public var layers = 3

    public static var defaults: AdversarialSettings { AdversarialSettings() }

    public func validate() throws {
        try Self.require(weight > 0 && weight.isFinite, "weight", "above 0, found \(weight)")
        try Self.require(startStep >= 0, "startStep", "at least 0, found \(startStep)")
        try Self.require((1...4096).contains(width), "width", "in 1…4096, found \(width)")
        try Self.require((1...8).contains(layers), "layers", "in 1…8, found \(layers)")
    }

    /// Least side of an image of which the discriminator leaves a patch.
    var smallestSide: Int {
        // Backwards from one patch: two convolutions of stride 1 take one place each, the others halve.
        (0..<layers).reduce(3) { side, _ in 2 * side }
    }
}

/// Random restarts of codes (Jukebox, arXiv 2005.00341).
public struct RestartSettings: Settings, Hashable {
    /// Steps between restarts.
    public var every = 50
    /// A code used less often than this share of an even use of all is restarted.
    public var share = 0.1
    /// The last step with a restart; absent for the run's.
    public var lastStep: Int?

    public static var defaults: RestartSettings { RestartSettings() }

    public func validate() throws {
        try Self.require(every >= 1, "every", "at least 1, found \(every)")
        try Self.require((0..<1).contains(share), "share", "at least 0 and below 1, found \(share)")
    }

    func isDue(_ step: Int) -> Bool { step % every == 0 && step <= lastStep ?? step }
}

/// Pictures of images beside what is left of them, and scores, made on the way from the averaged weights.
public struct ReconstructionSettings: Settings, Hashable {
    /// Steps between pictures; 0 makes none.
    public var every = 2000
    /// Images of the picture.
    public var count = 16
    /// Held-out images (training images where none are held out) that the PSNR is the mean of.
    public var scoredCount = 256

    public static var defaults: ReconstructionSettings { ReconstructionSettings() }

    public func validate() throws {
        try Self.require(every >= 0, "every", "at least 0, found \(every)")
        try Self.require(count >= 1, "count", "at least 1, found \(count)")
        try Self.require(scoredCount >= 1, "scoredCount", "at least 1, found \(scoredCount)")
    }
}

/// One training run of an autoencoder, completely: a file of `configs/`.
public struct AutoencoderConfiguration: Settings, Hashable {
    public var model: AutoencoderModelSettings
    public var data: DataSettings
    public var loss = AutoencoderLossSettings()
    public var optimizer = OptimizerSettings()
    /// Images per update. With `optimizer.accumulation` above 1 this many are computed at a time.
    public var batchSize = 32
    /// Updates of the whole run.
    public var steps = 100_000
    /// Decides initial weights, the order of the data and its variations.
    public var seed: UInt64 = 0
    /// A checkpoint (a file, or a run's folder) whose weights the run begins with instead of drawn ones.
    public var initialWeights: String?
    public var checkpoints = CheckpointSettings()
    public var reconstructions = ReconstructionSettings()
    public var log = LogSettings()

    public static var defaults: AutoencoderConfiguration {
        AutoencoderConfiguration(model: .frvae(.defaults), data: .defaults)
    }
    public static var requiredKeys: Set<String> { ["model", "data"] }

    /// Whether settings are those of an autoencoder, by the kind of their model.
    public static func describes(_ node: SettingsNode) -> Bool {
        let kind = node["model.kind"]?.text ?? node["model"]?.text
        return AutoencoderModelSettings.Kind.allCases.contains { $0.rawValue == kind }
    }

    public func validate() throws {
        try Self.require(batchSize >= 1, "batchSize", "at least 1, found \(batchSize)")
        try Self.require(steps >= 1, "steps", "at least 1, found \(steps)")
        try Self.require(data.prompts == nil, "data.prompts", "left out: an autoencoder reads no prompts")
        let network = model.frvae
        try Self.require(
            network.codec.imageChannels == data.channels, "data.channels",
            "\(network.codec.imageChannels), as model.codec.imageChannels is, found \(data.channels)")
        let (size, grids) = (network.imageSize, network.quantizer.pyramid.grids)
        try Self.require(
            size == Grid(data.size.height, data.size.width), "data.size",
            "\(ImageSize(width: size.width, height: size.height)), because the finest grid is "
                + "\(grids.last ?? Grid(0)) and the codec divides sizes by \(network.codec.reduction); found \(data.size)"
        )
        let side = min(data.size.width, data.size.height)
        if loss.perceptual != nil {
            let least = PerceptualDistance.Backbone.vgg.smallestSide
            try Self.require(
                data.channels == 3 && side >= least, "loss.perceptual",
                "left out: VGG needs colour images of at least \(least) pixels, these are \(data.size) with "
                    + "\(data.channels) channel(s)")
        }
        if let judge = loss.adversarial {
            try Self.require(
                side >= judge.smallestSide, "loss.adversarial.layers",
                "fewer: \(judge.layers) need images of at least \(judge.smallestSide) pixels, these have \(side)"
            )
        }
    }
}

/// What the checkpoint of an autoencoder says of itself.
public struct AutoencoderCheckpoint: Settings, Hashable {
    public var model: AutoencoderModelSettings
    /// How the training was set up; absent for weights from elsewhere.
    public var training: AutoencoderConfiguration?

    public static var defaults: AutoencoderCheckpoint { AutoencoderCheckpoint(model: .frvae(.defaults)) }
    public static var requiredKeys: Set<String> { ["model"] }
}

extension FRVAEConfiguration {
    /// The size of the images whose latent is the finest grid.
    public var imageSize: Grid {
        let finest = quantizer.pyramid.grids.last ?? Grid(0)
        return Grid(finest.height * codec.reduction, finest.width * codec.reduction)
    }
}
