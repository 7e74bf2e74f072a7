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
    /// Frequency bands from coarse to fine, each drawn by the same denoiser.
    case nextFrequency(NextFrequencyConfiguration)
    /// Tokens drawn a few at a time in random order.
    case lina(LINASettings)
    /// Codes of a learned tokenizer from coarse to fine.
    case nextFrequencyTokens(TokenModelConfiguration)

    enum Kind: String, Codable, CaseIterable { case dico, nextFrequency, nextFrequencyTokens, lina }
    private enum Key: String, CodingKey { case kind, preset }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decodeIfPresent(Kind.self, forKey: .kind) ?? .dico {
        case .dico:
            let preset = try container.decodeIfPresent(DiCoPreset.self, forKey: .preset)
            let configuration: DiCoConfiguration = try .members(
                of: decoder, defaults: preset?.configuration)
            try configuration.validateWholeImages()
            guard configuration.kernel.kind != .tunable else {
                throw ConfigurationError(
                    field: "kernel",
                    demand: "standard or weighted for a generator; tunable kernels are for dicoDenoiser")
            }
            self = .dico(configuration)
        case .nextFrequency: self = .nextFrequency(try .members(of: decoder))
        case .lina: self = .lina(try .members(of: decoder))
        case .nextFrequencyTokens: self = .nextFrequencyTokens(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .dico(let configuration):
            try container.encode(Kind.dico, forKey: .kind)
            try configuration.encode(to: encoder)
        case .nextFrequency(let configuration):
            try container.encode(Kind.nextFrequency, forKey: .kind)
            try configuration.encode(to: encoder)
        case .lina(let settings):
            try container.encode(Kind.lina, forKey: .kind)
            try settings.encode(to: encoder)
        case .nextFrequencyTokens(let configuration):
            try container.encode(Kind.nextFrequencyTokens, forKey: .kind)
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
    /// What the kind of network says of itself; nothing else here tells kinds apart.
    public var architecture: any ModelArchitecture {
        switch self {
        case .dico(let configuration): configuration
        case .nextFrequency(let configuration): configuration
        case .lina(let settings): settings
        case .nextFrequencyTokens(let configuration): configuration
        }
    }

    /// What people call the network.
    public var name: String { architecture.name }
    public var inputChannels: Int { architecture.inputChannels }
    public var classCount: Int { architecture.classCount }
    /// Probability of training without the label.
    public var labelDropout: Double { architecture.labelDropout }
    /// Width and height must be multiples of this.
    public var sizeMultiple: Int { architecture.sizeMultiple }

    /// Whether predictions without a label exist, which classifier-free guidance needs.
    public var canDropLabels: Bool {
        (classCount > 0 || architecture.readsPrompts) && labelDropout > 0
    }

    /// Whether the network denoises whole images.
    var isDenoiser: Bool {
        if case .dico = self { true } else { false }
    }

    /// Builds the network on parameters taken from `scope`; the caller validates the store.
    public func makeModel(_ scope: Scope) -> any ImageModel { architecture.makeModel(scope) }

    /// The same network with standard kernels, and its weights with the densities of weighted ones folded in.
    func folded(_ parameters: [String: Tensor]) -> (ModelSettings, [String: Tensor]) {
        switch self {
        case .dico(let configuration):
            let (plain, folded) = configuration.folded(parameters)
            return (.dico(plain), folded)
        case .nextFrequency(var configuration):
            let (plain, folded) = configuration.backbone.folded(parameters)
            configuration.backbone = plain
            return (.nextFrequency(configuration), folded)
        case .nextFrequencyTokens, .lina: return (self, parameters)
        }
    }

    /// - Throws: `SettingsError` when the network cannot make images of that size.
    func check(_ size: ImageSize, origin: String, key: String) throws {
        if let fixed = architecture.fixedSize, size != fixed {
            throw SettingsError(
                origin: origin, key: key, problem: "must be \(fixed) for this \(name), found \(size)")
        }
        guard size.width % sizeMultiple == 0, size.height % sizeMultiple == 0 else {
            throw SettingsError(
                origin: origin, key: key,
                problem:
                    "must have sides that are multiples of \(sizeMultiple) for this \(name), found \(size)")
        }
    }
}

extension ModelSettings {
    /// Shapes by published name, as checkpoints have them.
    public var parameterShapes: [String: [Int]] {
        Dictionary(
            uniqueKeysWithValues: architecture.parameterShapes.map { ($0.name, $0.shape.extents) })
    }

    public var parameterCount: Int { parameterShapes.values.reduce(0) { $0 + $1.reduce(1, *) } }

    /// Cost by stage for one image.
    func stages(_ size: ImageSize) -> [ModelStage] { architecture.stages(size) }

    /// Multiply–accumulates of convolutions and linear layers for one image.
    public func multiplyAccumulates(_ size: ImageSize) -> Int {
        stages(size).reduce(0) { $0 + $1.multiplyAccumulates }
    }
}
