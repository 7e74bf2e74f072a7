import Checkpoints
import Layers
import Training

/// How images become latents.
public struct EncodingSettings: Settings, Hashable {
    /// What is kept of the normal distribution that the autoencoder places an image in.
    public enum Kept: String, Codable, CaseIterable, Sendable {
        case mean
        /// One sample, drawn with `seed`.
        case sample
        /// Mean and deviation: a training draws a fresh sample at every visit.
        case moments
    }

    /// How an image comes to the size.
    public enum Fit: String, Codable, CaseIterable, Sendable { case centerCrop, stretch }

    public enum Precision: String, Codable, CaseIterable, Sendable {
        case float32, float16

        var type: StoredType { self == .float32 ? .float32 : .float16 }
    }

    /// Of the images that are encoded.
    public var size = ImageSize(256)
    public var fit = Fit.centerCrop
    public var kept = Kept.mean
    public var seed: UInt64 = 0
    /// Encodes the mirrored image as well, so that a training can flip.
    public var mirrored = false
    public var precision = Precision.float32
    /// Images of one file; what an interruption loses at most.
    public var partSize = 256

    public init() {}

    public static let defaults = EncodingSettings()

    public func validate() throws {
        try Self.require((1...1_000_000).contains(partSize), "partSize", "in 1…1000000, found \(partSize)")
    }

    func preparation(channels: Int) -> ImagePreparation {
        ImagePreparation(
            width: size.width, height: size.height, channels: channels,
            fit: fit == .stretch ? .stretch : .centerCrop)
    }
}

/// What every part of a set of latents says of itself.
public struct LatentConfiguration: Settings, Hashable {
    /// Name of the data set.
    public var source = ""
    /// Images of the data set, readable or not.
    public var images = 0
    /// Files that the set has.
    public var parts = 0
    /// In label order.
    public var classes: [String] = []
    public var encoding = EncodingSettings()
    public var autoencoder = AutoencoderIdentity()

    public static let defaults = LatentConfiguration()

    /// - Throws: `SettingsError` when a set of latents tells nothing sound of its autoencoder.
    init(_ dataset: LatentDataset) throws {
        try self.init(json: dataset.config.text, name: "\(dataset.source): config")
    }

    init() {}
}
