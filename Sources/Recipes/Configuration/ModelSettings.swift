import Backbones
import Layers
import Tensors

extension DiCoConfiguration: Settings {
    public static var defaults: DiCoConfiguration { DiCoConfiguration(hiddenSize: 0, depth: []) }
    public static var requiredKeys: Set<String> { ["hiddenSize", "depth"] }
}

/// Which network, and how large: `{kind: dico, preset: dico-s, classCount: 10}`.
public enum ModelSettings: TaggedSettings, Hashable {
    case dico(DiCoConfiguration)

    enum Kind: String, Codable, CaseIterable { case dico }
    private enum Key: String, CodingKey { case kind, preset }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decodeIfPresent(Kind.self, forKey: .kind) ?? .dico {
        case .dico:
            let preset = try container.decodeIfPresent(DiCoPreset.self, forKey: .preset)
            self = .dico(try .members(of: decoder, defaults: preset?.configuration))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .dico(let configuration):
            try container.encode(Kind.dico, forKey: .kind)
            try configuration.encode(to: encoder)
        }
    }
}

/// A published size; every setting beside it replaces the preset's.
enum DiCoPreset: String, Codable, CaseIterable {
    case small = "dico-s"
    case base = "dico-b"
    case large = "dico-l"
    case extraLarge = "dico-xl"
    case huge = "dico-h"

    var configuration: DiCoConfiguration? { DiCoConfiguration.presets[rawValue] }
}

extension ModelSettings {
    public var inputChannels: Int {
        switch self {
        case .dico(let dico): dico.inputChannels
        }
    }
    public var classCount: Int {
        switch self {
        case .dico(let dico): dico.classCount
        }
    }
    /// Whether the network answers with variance channels as well.
    public var learnsVariance: Bool {
        switch self {
        case .dico(let dico): dico.learnSigma
        }
    }
    /// Probability of training without the label.
    public var labelDropout: Double {
        switch self {
        case .dico(let dico): dico.classDropout
        }
    }
    /// Width and height must be multiples of this.
    public var sizeMultiple: Int {
        switch self {
        case .dico(let dico): dico.sizeMultiple
        }
    }
    /// What people call the network.
    public var name: String {
        switch self {
        case .dico: "DiCo"
        }
    }

    /// Whether predictions without a label exist, which classifier-free guidance needs.
    public var canDropLabels: Bool { classCount > 0 && labelDropout > 0 }

    /// Builds the network on parameters taken from `scope`; the caller validates the store.
    public func makeModel(_ scope: Scope) -> any Denoiser {
        switch self {
        case .dico(let configuration): DiCo(scope, configuration)
        }
    }

    /// - Throws: `SettingsError` when the network cannot make images of that size.
    func check(_ size: ImageSize, origin: String, key: String) throws {
        guard size.width % sizeMultiple == 0, size.height % sizeMultiple == 0 else {
            throw SettingsError(
                origin: origin, key: key,
                problem:
                    "must have sides that are multiples of \(sizeMultiple) for this \(name), found \(size)")
        }
    }
}

extension ModelSettings {
    /// Multiply–accumulates of convolutions and linear layers for one image.
    public func multiplyAccumulates(_ size: ImageSize) -> Int {
        switch self {
        case .dico(let dico): dico.multiplyAccumulates(height: size.height, width: size.width)
        }
    }
}
