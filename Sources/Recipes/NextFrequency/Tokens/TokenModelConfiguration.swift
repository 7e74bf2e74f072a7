import Autoregression
import Backbones
import Layers
import Tensors

/// What predicts the codes of a level from the levels before it.
public enum TokenPredictorSettings: TaggedSettings, Hashable {
    /// DiCo blocks that see the sum of the levels before, one level at a time.
    case scaleMarkov(ScaleMarkovSettings)
    /// VAR's block-causal transformer, which sees all levels before.
    case transformer(TransformerSettings)

    enum Kind: String, Codable, CaseIterable { case scaleMarkov, transformer }
    private enum Key: String, CodingKey { case kind }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .scaleMarkov: self = .scaleMarkov(try .members(of: decoder))
        case .transformer: self = .transformer(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .scaleMarkov(let settings):
            try container.encode(Kind.scaleMarkov, forKey: .kind)
            try settings.encode(to: encoder)
        case .transformer(let settings):
            try container.encode(Kind.transformer, forKey: .kind)
            try settings.encode(to: encoder)
        }
    }
}

public struct ScaleMarkovSettings: Settings, Hashable {
    public var width: Int
    /// DiCo blocks.
    public var depth: Int
    public var mlpRatio = 2.0

    public static var defaults: ScaleMarkovSettings { ScaleMarkovSettings(width: 0, depth: 0) }
    public static var requiredKeys: Set<String> { ["width", "depth"] }
}

public struct TransformerSettings: Settings, Hashable {
    /// Blocks.
    public var depth: Int
    /// Absent for 64 for each block, as published.
    public var width: Int?
    /// Absent for one for each block, as published.
    public var heads: Int?
    public var mlpRatio = 4.0
    /// One modulation layer for all blocks, plus an offset in each.
    public var sharesModulation = false
    /// Queries and keys of length one, with a learned temperature per head.
    public var normalizesQueries = true

    public static var defaults: TransformerSettings { TransformerSettings(depth: 0) }
    public static var requiredKeys: Set<String> { ["depth"] }
}

/// A next-frequency model of codes (NFIG, arXiv 2503.07076; VAR, arXiv 2404.02905): a learned tokenizer, which stays as
/// it is, and a network that predicts each level's codes.
public struct TokenModelConfiguration: Settings, Hashable {
    /// The autoencoder whose codes are predicted.
    public var tokenizer: FRVAEConfiguration
    /// Its checkpoint (a file, or a run's folder), for training; the model's own checkpoint holds its weights.
    public var tokenizerWeights: String?
    public var predictor: TokenPredictorSettings
    /// 0 makes an unconditional model.
    public var classCount = 0
    /// Probability of training without the label.
    public var classDropout = 0.1
    /// Share of every target that is spread over all codes.
    public var smoothing = 0.0

    public init(tokenizer: FRVAEConfiguration, predictor: TokenPredictorSettings) {
        self.tokenizer = tokenizer
        self.predictor = predictor
    }

    public static var defaults: TokenModelConfiguration {
        TokenModelConfiguration(tokenizer: .defaults, predictor: .scaleMarkov(.defaults))
    }
    public static var requiredKeys: Set<String> { ["tokenizer", "predictor"] }

    public func validate() throws {
        try tokenizer.validate()
        try Self.require(
            (0...1_000_000).contains(classCount), "classCount", "in 0…1000000, found \(classCount)")
        try Self.require(
            (0..<1).contains(classDropout), "classDropout", "at least 0 and below 1, found \(classDropout)")
        try Self.require(
            (0..<1).contains(smoothing), "smoothing", "at least 0 and below 1, found \(smoothing)")
        do {
            switch predictor {
            case .scaleMarkov(let settings): try backbone(settings).validate()
            case .transformer(let settings): try transformer(settings).validate()
            }
        } catch let error as ConfigurationError {
            throw ConfigurationError(field: "predictor.\(error.field)", demand: error.demand)
        }
    }

    var grids: [Grid] { tokenizer.quantizer.pyramid.grids }

    func backbone(_ settings: ScaleMarkovSettings) -> LevelBackboneConfiguration {
        LevelBackboneConfiguration(
            grids: grids, inputChannels: tokenizer.quantizer.channels, width: settings.width,
            depth: settings.depth, mlpRatio: settings.mlpRatio, classCount: classCount)
    }

    func transformer(_ settings: TransformerSettings) -> VARConfiguration {
        VARConfiguration(
            grids: grids, depth: settings.depth, width: settings.width, heads: settings.heads,
            mlpRatio: settings.mlpRatio, vocabulary: tokenizer.quantizer.vocabulary,
            tokenChannels: tokenizer.quantizer.channels, classCount: classCount,
            sharesModulation: settings.sharesModulation, normalizesQueries: settings.normalizesQueries)
    }

    /// The network on parameters taken from `scope`.
    func makePredictor(_ scope: Scope) -> TokenPredictor {
        switch predictor {
        case .scaleMarkov(let settings):
            .scaleMarkov(
                ScaleMarkov(
                    scope, backbone(settings), vocabulary: tokenizer.quantizer.vocabulary))
        case .transformer(let settings): .transformer(VAR(scope, transformer(settings)))
        }
    }
}

/// How codes are drawn: the part of a recipe that only models of codes read.
public struct TokenSamplingSettings: Settings, Hashable {
    /// Draws among the so many most probable codes; 0 for all.
    public var topK = 0
    /// Draws among the most probable codes that together have this probability; 0 for all.
    public var topP = 0.0
    /// Mixes codes by a sharpened softmax instead of choosing one: smoother pictures, not what a model is scored with.
    public var isSmooth = false

    public static var defaults: TokenSamplingSettings { TokenSamplingSettings() }

    public func validate() throws { try filter.validate() }

    var filter: TokenFilter { TokenFilter(topK: topK, topP: topP) }
}
