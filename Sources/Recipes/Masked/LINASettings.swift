import Autoregression
import Backbones
import Layers
import Tensors

extension LINAConfiguration: Settings {
    public static let defaults = LINAConfiguration(hiddenSize: 0, heads: 0)
    public static let requiredKeys: Set<String> = ["hiddenSize", "heads", "headSize"]
}

/// Which LINA, and how its training hides tokens: `{kind: lina, hiddenSize: 192, heads: 3, …}`.
public struct LINASettings: Settings, Hashable {
    public var network: LINAConfiguration
    public var masking = MaskingSettings()

    public init(_ network: LINAConfiguration) { self.network = network }

    public static let defaults = LINASettings(.defaults)
    public static let requiredKeys = LINAConfiguration.requiredKeys

    private enum Key: String, CodingKey { case preset, masking }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let preset = try container.decodeIfPresent(LINAPreset.self, forKey: .preset)
        masking = try container.decodeIfPresent(MaskingSettings.self, forKey: .masking) ?? .defaults
        network = try .members(of: decoder, defaults: preset?.configuration)
    }

    public func encode(to encoder: any Encoder) throws {
        try network.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(masking, forKey: .masking)
    }
}

/// How many tokens a training step hides, and how often the head sees the others' features.
public struct MaskingSettings: Settings, Hashable {
    /// The hidden share is drawn around 1, cut to low…high.
    public var low = 0.7
    public var high = 1.0
    public var deviation = 0.25
    /// Noisy versions of each hidden token in a step.
    public var repeats = 4

    public static let defaults = MaskingSettings()

    public func validate() throws {
        try Self.require((0...1).contains(low), "low", "in 0…1, found \(low)")
        try Self.require(
            (0...1).contains(high) && high > low, "high", "above low and at most 1, found \(high)")
        try Self.require(deviation > 0, "deviation", "above 0, found \(deviation)")
        try Self.require(repeats >= 1, "repeats", "at least 1, found \(repeats)")
    }

    var ratio: MaskRatio { MaskRatio(low: low, high: high, deviation: deviation) }
}

/// A published size; every setting beside it replaces the preset's.
enum LINAPreset: String, Codable, CaseIterable {
    case c2i768 = "lina-c2i-d48w768"
    case c2i1024 = "lina-c2i-d48w1024"
    case c2i1536 = "lina-c2i-d48w1536"
    case softmax = "lina-c2i-d48w768-softmax"
    case t2i512 = "lina-t2i-d48w1536-512"
    case t2i1024 = "lina-t2i-d48w1536-1024"

    var configuration: LINAConfiguration? { LINAConfiguration.presets[rawValue] }
}

extension LINASettings: ModelArchitecture {
    public var name: String { "LINA" }
    public var inputChannels: Int { network.inputChannels }
    public var classCount: Int { network.classCount }
    public var readsPrompts: Bool { network.textSize > 0 }
    public var labelDropout: Double { network.conditionDropout }
    public var sizeMultiple: Int { network.patchSize }
    public var fixedSize: ImageSize? { ImageSize(width: network.width, height: network.height) }
    public var parameterShapes: [(name: String, shape: Shape)] { network.parameterShapes }

    public func isTrained(_ parameter: String) -> Bool { LINAConfiguration.isTrained(parameter) }

    public func check(_ objective: ObjectiveSettings) throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        switch (network.head, objective) {
        case (.flow, .flow(let flow)):
            try require(
                flow.sampling == .logitNormal && flow.mean == 0 && flow.deviation == 1
                    && flow.timeScale == 1000, "objective",
                "flow with the published times (logitNormal, mean 0, deviation 1, timeScale 1000) for a flow head"
            )
        case (.diffusion, .ddpm(let settings)):
            try require(
                settings.variance.isLearned, "objective.variance",
                "learned for a diffusion head, found \(settings.variance.rawValue)")
        case (.flow, _), (.diffusion, _):
            let needed = network.head == .flow ? "flow" : "ddpm"
            throw ConfigurationError(
                field: "objective",
                demand: "\(needed) for a \(network.head.rawValue) head, found \(objective.kind.rawValue)")
        }
    }

    public func check(_ sampler: SamplerSettings, for objective: ObjectiveSettings) throws {
        try sampler.requireNoGroup(but: [.masked])
        _ = try MaskedSampler.tokenSampler(sampler, objective: objective)
        try (sampler.masked ?? .defaults).check(tokens: network.grid.count)
    }

    public func stages(_ size: ImageSize) -> [ModelStage] {
        network.stageCosts.map {
            ModelStage(
                name: $0.stage, parameterCount: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates)
        }
    }

    public func makeModel(_ scope: Scope) -> any ImageModel {
        MaskedModel(LINA(scope, network), masking: masking)
    }
}
