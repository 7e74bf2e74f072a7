import Diffusion
import Layers

/// How samples are made from a trained network: solver, noise levels, guidance.
public struct SamplerSettings: Settings, Hashable {
    public enum SolverKind: String, Codable, CaseIterable, Sendable {
        /// Ancestral sampling of a discrete process.
        case ddpm
        /// For every objective; with `eta` 0 the same as Euler's method.
        case ddim
        case euler, heun, rk4
        case eulerAncestral, dpm2
        /// DPM-Solver++ in λ, orders 1 to 3.
        case dpmSolver
        /// The same for the SDE.
        case dpmSolverStochastic
        /// DPM-Solver++ as k-diffusion has it.
        case dpmSolver2M, dpmSolver2MSDE, dpmSolver3MSDE, dpmSolver2SAncestral, dpmSolverSDE
        case linearMultistep
        case unipc
    }

    public var solver = SolverKind.ddim
    /// Steps of the solver; heun, dpm2 and the two-stage ones ask the network twice per step, rk4 four times.
    public var steps = 50
    /// Of dpmSolver (1–3), unipc and linearMultistep (1–4); absent for the usual 2, 2 and 4.
    public var order: Int?
    /// How much fresh noise ddim (0…1, absent for 0) and the ancestral and SDE solvers (absent for 1) add.
    public var eta: Double?
    /// Noise added before steps of euler, heun and dpm2.
    public var churn: ChurnSettings?
    /// Which noise levels are visited.
    public var schedule = ScheduleSettings.native
    public var guidance = GuidanceSettings()
    /// What happens to the estimate of the clean image before it is used.
    public var clip = ClipSettings.none
    /// Of next-frequency models; absent for their defaults.
    public var bands: BandSettings?
    /// Of masked autoregressive models: which tokens are drawn when.
    public var masked: MaskedSamplingSettings?
    /// Of models that draw codes; absent for all codes by their probabilities.
    public var codes: TokenSamplingSettings?

    public init() {}

    public static var defaults: SamplerSettings { SamplerSettings() }

    public func validate() throws {
        try Self.require((1...10_000).contains(steps), "steps", "in 1…10000, found \(steps)")
        try Self.require(eta.map { $0 >= 0 } ?? true, "eta", "at least 0, found \(eta ?? 0)")
        try Self.require(
            (1...orderLimit).contains(order ?? 1), "order", "in 1…\(orderLimit), found \(order ?? 0)")
        try Self.require(order == nil || hasOrder, "order", "left out: \(solver.rawValue) has no order")
        try Self.require(eta == nil || hasEta, "eta", "left out: \(solver.rawValue) has no eta")
        let churns: [SolverKind] = [.euler, .heun, .dpm2]
        try Self.require(
            churn == nil || churns.contains(solver), "churn", "left out: \(solver.rawValue) does not churn")
    }

    private var orderLimit: Int { solver == .linearMultistep ? 4 : 3 }

    private var hasOrder: Bool {
        [.dpmSolver, .dpmSolverStochastic, .unipc, .linearMultistep].contains(solver)
    }

    private var hasEta: Bool {
        [
            .ddim, .eulerAncestral, .dpmSolver2MSDE, .dpmSolver3MSDE, .dpmSolver2SAncestral, .dpmSolverSDE,
        ].contains(solver)
    }
}

extension SamplerSettings {
    /// Settings that only one kind of model reads.
    enum Group: String { case bands, codes, masked }

    /// - Throws: `ConfigurationError` when there are settings of another kind of model than that of `own`.
    func requireNoGroup(but own: Set<Group>) throws {
        let groups: [(group: Group, isGiven: Bool, what: String)] = [
            (.bands, bands != nil, "only next-frequency models draw bands"),
            (.codes, codes != nil, "only models of codes draw them"),
            (.masked, masked != nil, "only masked autoregressive models draw tokens"),
        ]
        for (group, isGiven, what) in groups where isGiven && !own.contains(group) {
            throw ConfigurationError(field: group.rawValue, demand: "left out: \(what)")
        }
    }
}

/// EDM's churn.
public struct ChurnSettings: Settings, Hashable {
    /// S_churn.
    public var amount = 40.0
    /// S_min and S_max: the σ where noise is added.
    public var minimum = 0.05
    public var maximum = 50.0
    /// S_noise.
    public var noise = 1.003

    public static var defaults: ChurnSettings { ChurnSettings() }

    public func validate() throws {
        try Self.require(amount >= 0, "amount", "at least 0, found \(amount)")
        try Self.require(minimum <= maximum, "minimum", "at most maximum, found \(minimum)")
    }

    var churn: Churn { Churn(amount: amount, minimum: minimum, maximum: maximum, noise: noise) }
}

public struct GuidanceSettings: Settings, Hashable {
    /// w of unconditional + w·(conditional − unconditional); 1 does not guide.
    public var scale = 1.0
    /// How much of the guided contrast is put back (0…1).
    public var rescale = 0.0
    /// Guide only where low < σ ≤ high: `[low, high]`.
    public var interval: [Double]?
    /// Guide only in this part of the steps: `[0.2, 0.8]`.
    public var stepInterval: [Double]?
    /// How many leading channels are guided; absent for all. Published DiCo numbers guide 3.
    public var channels: Int?

    public static var defaults: GuidanceSettings { GuidanceSettings() }

    public var isOn: Bool { scale != 1 }

    public func validate() throws {
        try Self.require(scale.isFinite, "scale", "a finite number, found \(scale)")
        try Self.require((0...1).contains(rescale), "rescale", "in 0…1, found \(rescale)")
        try Self.requirePair(interval, "interval", within: 0...Double.infinity)
        try Self.requirePair(stepInterval, "stepInterval", within: 0...1)
        try Self.require(channels.map { $0 >= 1 } ?? true, "channels", "at least 1, found \(channels ?? 0)")
    }

    private static func requirePair(_ pair: [Double]?, _ field: String, within range: ClosedRange<Double>)
        throws
    {
        guard let pair else { return }
        try require(
            pair.count == 2 && pair.allSatisfy(range.contains) && pair[0] < pair[1], field,
            "two rising numbers [low, high], found \(pair)")
    }

    var guidance: Guidance? {
        guard isOn else { return nil }
        return Guidance(
            scale: scale, rescale: rescale, sigmaInterval: interval.map { ($0[0], $0[1]) },
            stepInterval: stepInterval.map { ($0[0], $0[1]) }, channels: channels)
    }
}

/// What happens to an estimate of the clean image: nothing, a clamp to −bound…bound, or dynamic thresholding.
public enum ClipSettings: TaggedSettings, Hashable {
    case none
    case clamp(ClampSettings)
    case dynamic(DynamicClipSettings)

    enum Kind: String, Codable, CaseIterable { case none, clamp, dynamic }
    private enum Key: String, CodingKey { case kind }

    public struct ClampSettings: Settings, Hashable {
        public var bound = 1.0
        public static var defaults: ClampSettings { ClampSettings() }
        public func validate() throws { try Self.require(bound > 0, "bound", "above 0, found \(bound)") }
    }

    public struct DynamicClipSettings: Settings, Hashable {
        public var quantile = 0.995
        public var maximum = 1.5
        public static var defaults: DynamicClipSettings { DynamicClipSettings() }
        public func validate() throws {
            try Self.require((0...1).contains(quantile), "quantile", "in 0…1, found \(quantile)")
            try Self.require(maximum >= 1, "maximum", "at least 1, found \(maximum)")
        }
    }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .none: self = .none
        case .clamp: self = .clamp(try .members(of: decoder))
        case .dynamic: self = .dynamic(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .none: try container.encode(Kind.none, forKey: .kind)
        case .clamp(let settings):
            try container.encode(Kind.clamp, forKey: .kind)
            try settings.encode(to: encoder)
        case .dynamic(let settings):
            try container.encode(Kind.dynamic, forKey: .kind)
            try settings.encode(to: encoder)
        }
    }

    var clipping: Clipping {
        switch self {
        case .none: .none
        case .clamp(let settings): .clamp(settings.bound)
        case .dynamic(let settings): .dynamic(quantile: settings.quantile, maximum: settings.maximum)
        }
    }
}
