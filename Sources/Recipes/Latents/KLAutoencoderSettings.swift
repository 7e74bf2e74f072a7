import Backbones
import Checkpoints
import Layers

extension KLAutoencoderConfiguration: Settings {
    public static let defaults = KLAutoencoderConfiguration()
}

/// Which autoencoder of images, and how large: `{kind: klAutoencoder, preset: kl8-sdxl}`.
public enum KLAutoencoderSettings: TaggedSettings, Hashable {
    case klAutoencoder(KLAutoencoderConfiguration)

    enum Kind: String, Codable, CaseIterable { case klAutoencoder }
    private enum Key: String, CodingKey { case kind, preset }

    /// A published one; every setting beside it replaces the preset's.
    enum Preset: String, Codable, CaseIterable {
        case mar = "kl16-mar"
        case sdxl = "kl8-sdxl"
        case stableDiffusion = "kl8-sd"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        _ = try container.decode(Kind.self, forKey: .kind)
        let preset = try container.decodeIfPresent(Preset.self, forKey: .preset)
        self = .klAutoencoder(
            try .members(
                of: decoder, defaults: preset.flatMap { KLAutoencoderConfiguration.presets[$0.rawValue] }))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(Kind.klAutoencoder, forKey: .kind)
        try configuration.encode(to: encoder)
    }

    public var configuration: KLAutoencoderConfiguration {
        switch self {
        case .klAutoencoder(let configuration): configuration
        }
    }
}

/// What the checkpoint of such an autoencoder says of itself.
public struct KLAutoencoderCheckpoint: Settings, Hashable {
    public var model: KLAutoencoderSettings

    public static var defaults: KLAutoencoderCheckpoint {
        KLAutoencoderCheckpoint(model: .klAutoencoder(.defaults))
    }
    public static var requiredKeys: Set<String> { ["model"] }

    /// Whether a checkpoint's config is that of such an autoencoder.
    static func describes(_ config: JSONValue) -> Bool {
        config["model"]?["kind"]?.string.flatMap(KLAutoencoderSettings.Kind.init) != nil
    }
}
