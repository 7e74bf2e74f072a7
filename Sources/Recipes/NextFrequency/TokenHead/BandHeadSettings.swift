import Layers

/// What draws a level's band: `{kind: joint}`, or `{kind: token, features: 32, width: 256, depth: 3}`.
public enum BandHeadSettings: TaggedSettings, Hashable {
    /// The backbone is the denoiser of the whole band.
    case joint
    /// The backbone makes features once for all steps of a solver, a small network draws each token from its own.
    case token(TokenHeadSettings)

    enum Kind: String, Codable, CaseIterable { case joint, token }
    private enum Key: String, CodingKey { case kind }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .joint: self = .joint
        case .token: self = .token(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .joint: try container.encode(Kind.joint, forKey: .kind)
        case .token(let settings):
            try container.encode(Kind.token, forKey: .kind)
            try settings.encode(to: encoder)
        }
    }

    /// Nil for the joint head.
    public var token: TokenHeadSettings? {
        if case .token(let settings) = self { settings } else { nil }
    }
}

/// MAR's head on the shared backbone (arXiv 2406.11838; `specs/nfig.md`, section 12, head B).
public struct TokenHeadSettings: Settings, Hashable {
    /// A token is this many places of the band by as many.
    public var cell = 2
    /// Features of every place that the backbone makes.
    public var features = 32
    /// Width of the head's residual blocks.
    public var width = 256
    /// How many there are.
    public var depth = 3
    /// How many tokens of a band training hides, and how often the head sees each of them.
    public var masking = MaskingSettings()

    public static let defaults = TokenHeadSettings()

    public func validate() throws {
        try Self.require((1...64).contains(cell), "cell", "in 1…64, found \(cell)")
        try Self.require((1...65_536).contains(features), "features", "in 1…65536, found \(features)")
        try Self.require(
            (2...65_536).contains(width) && width % 2 == 0, "width",
            "an even number in 2…65536, found \(width)")
        try Self.require((0...1000).contains(depth), "depth", "in 0…1000, found \(depth)")
    }
}
