import Diffusion

/// Which noise levels a run visits.
public enum ScheduleSettings: TaggedSettings, Hashable {
    /// The objective's own: evenly spaced timesteps, shifted flow times, EDM's levels.
    case native
    /// Timesteps of a discrete process.
    case timesteps(TimestepSettings)
    /// Flow times, bent towards noise by a shift of their own.
    case flow(FlowTimeSettings)
    case karras(SigmaSettings)
    case exponential(SigmaSettings)
    /// Quantiles of a beta distribution.
    case beta(BetaSettings)

    enum Kind: String, Codable, CaseIterable { case native, timesteps, flow, karras, exponential, beta }
    private enum Key: String, CodingKey { case kind }

    public struct TimestepSettings: Settings, Hashable {
        public enum Spacing: String, Codable, CaseIterable, Sendable {
            /// As ADM respaces: both ends included.
            case even
            case leading, trailing, linspace
        }
        public var spacing = Spacing.even
        public static var defaults: TimestepSettings { TimestepSettings() }
    }

    public struct FlowTimeSettings: Settings, Hashable {
        /// κ of κs/(1 + (κ−1)s).
        public var shift = 1.0
        public static var defaults: FlowTimeSettings { FlowTimeSettings() }
        public func validate() throws { try Self.require(shift > 0, "shift", "above 0, found \(shift)") }
    }

    public struct SigmaSettings: Settings, Hashable {
        /// The lowest and highest σ; absent for the range the network was trained on.
        public var sigmaMin: Double?
        public var sigmaMax: Double?
        /// Of karras.
        public var rho = 7.0
        public static var defaults: SigmaSettings { SigmaSettings() }
        public func validate() throws {
            try Self.require(sigmaMin.map { $0 > 0 } ?? true, "sigmaMin", "above 0, found \(sigmaMin ?? 0)")
            try Self.require(
                sigmaMax.map { $0 > sigmaMin ?? 0 } ?? true, "sigmaMax",
                "above sigmaMin, found \(sigmaMax ?? 0)")
            try Self.require(rho > 0, "rho", "above 0, found \(rho)")
        }
    }

    public struct BetaSettings: Settings, Hashable {
        public var sigmaMin: Double?
        public var sigmaMax: Double?
        public var alpha = 0.6
        public var beta = 0.6
        public static var defaults: BetaSettings { BetaSettings() }
        public func validate() throws {
            try Self.require(sigmaMin.map { $0 > 0 } ?? true, "sigmaMin", "above 0, found \(sigmaMin ?? 0)")
            try Self.require(
                sigmaMax.map { $0 > sigmaMin ?? 0 } ?? true, "sigmaMax",
                "above sigmaMin, found \(sigmaMax ?? 0)")
            try Self.require(alpha > 0, "alpha", "above 0, found \(alpha)")
            try Self.require(beta > 0, "beta", "above 0, found \(beta)")
        }
    }

    var kind: Kind {
        switch self {
        case .native: .native
        case .timesteps: .timesteps
        case .flow: .flow
        case .karras: .karras
        case .exponential: .exponential
        case .beta: .beta
        }
    }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .native: self = .native
        case .timesteps: self = .timesteps(try .members(of: decoder))
        case .flow: self = .flow(try .members(of: decoder))
        case .karras: self = .karras(try .members(of: decoder))
        case .exponential: self = .exponential(try .members(of: decoder))
        case .beta: self = .beta(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .native: break
        case .timesteps(let settings): try settings.encode(to: encoder)
        case .flow(let settings): try settings.encode(to: encoder)
        case .karras(let settings), .exponential(let settings): try settings.encode(to: encoder)
        case .beta(let settings): try settings.encode(to: encoder)
        }
    }
}
