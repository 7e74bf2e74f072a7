import Diffusion

/// What the network is trained to predict, and of which noise process.
public enum ObjectiveSettings: TaggedSettings, Hashable {
    /// A discrete process with the loss of DDPM, IDDPM and ADM; what the published DiCo trains.
    case ddpm(DDPMSettings)
    /// A discrete process with v-prediction.
    case velocity(VelocitySettings)
    /// Flow matching on straight paths (rectified flow, SD3).
    case flow(FlowSettings)
    /// EDM's preconditioned denoiser.
    case edm(EDMSettings)

    enum Kind: String, Codable, CaseIterable { case ddpm, velocity, flow, edm }
    private enum Key: String, CodingKey { case kind }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .ddpm: self = .ddpm(try .members(of: decoder))
        case .velocity: self = .velocity(try .members(of: decoder))
        case .flow: self = .flow(try .members(of: decoder))
        case .edm: self = .edm(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .ddpm(let settings): try settings.encode(to: encoder)
        case .velocity(let settings): try settings.encode(to: encoder)
        case .flow(let settings): try settings.encode(to: encoder)
        case .edm(let settings): try settings.encode(to: encoder)
        }
    }

    var kind: Kind {
        switch self {
        case .ddpm: .ddpm
        case .velocity: .velocity
        case .flow: .flow
        case .edm: .edm
        }
    }
}

/// Which variances a discrete process adds per step.
public enum BetaKind: String, Codable, CaseIterable, Sendable {
    case linear, cosine, stableDiffusion

    var schedule: BetaSchedule {
        switch self {
        case .linear: .linear
        case .cosine: .cosine
        case .stableDiffusion: .stableDiffusion
        }
    }
}

public struct DDPMSettings: Settings, Hashable {
    public enum Target: String, Codable, CaseIterable, Sendable { case noise, clean, velocity }

    /// linear (DDPM), cosine (IDDPM) or stableDiffusion.
    public var betas = BetaKind.linear
    /// T.
    public var stepCount = 1000
    /// What the first channels of the network's answer are.
    public var prediction = Target.noise
    /// learnedRange needs a model with `learnSigma: true`, the fixed ones a model without.
    public var variance = ReverseVariance.learnedRange
    public var loss = HybridObjective.LossKind.meanSquare
    /// γ of min-SNR weighting; absent for none.
    public var minimumSNR: Double?

    public static var defaults: DDPMSettings { DDPMSettings() }

    public func validate() throws {
        try Self.require(stepCount >= 2, "stepCount", "at least 2, found \(stepCount)")
        try Self.require(minimumSNR.map { $0 > 0 } ?? true, "minimumSNR", "above 0, found \(minimumSNR ?? 0)")
    }
}

public struct VelocitySettings: Settings, Hashable {
    public var betas = BetaKind.cosine
    /// T.
    public var stepCount = 1000
    /// Rescale the process so that its last step is pure noise (arXiv 2305.08891).
    public var zeroTerminalSNR = false
    /// γ of min-SNR weighting; absent for none.
    public var minimumSNR: Double?

    public static var defaults: VelocitySettings { VelocitySettings() }

    public func validate() throws {
        try Self.require(stepCount >= 2, "stepCount", "at least 2, found \(stepCount)")
        try Self.require(minimumSNR.map { $0 > 0 } ?? true, "minimumSNR", "above 0, found \(minimumSNR ?? 0)")
    }
}

public struct FlowSettings: Settings, Hashable {
    public enum TimeSampling: String, Codable, CaseIterable, Sendable { case uniform, logitNormal, mode }

    /// How training draws the time s in 0…1, 1 being noise.
    public var sampling = TimeSampling.logitNormal
    /// Of the logit-normal distribution.
    public var mean = 0.0
    public var deviation = 1.0
    /// Of the mode distribution.
    public var modeScale = 1.29
    /// κ: training and sampling times bent towards noise, for larger images.
    public var shift = 1.0
    /// The network is told timeScale·s.
    public var timeScale = 1000.0

    public static var defaults: FlowSettings { FlowSettings() }

    public func validate() throws {
        try Self.require(deviation > 0, "deviation", "above 0, found \(deviation)")
        try Self.require(shift > 0, "shift", "above 0, found \(shift)")
        try Self.require(timeScale > 0, "timeScale", "above 0, found \(timeScale)")
    }

    var distribution: FlowTimeSampling {
        switch sampling {
        case .uniform: .uniform
        case .logitNormal: .logitNormal(mean: mean, deviation: deviation)
        case .mode: .mode(scale: modeScale)
        }
    }
}

public struct EDMSettings: Settings, Hashable {
    /// Standard deviation of the data.
    public var sigmaData = 0.5
    /// Of ln σ in training.
    public var logMean = -1.2
    public var logDeviation = 1.2
    /// The network is told timeScale·¼·ln σ.
    public var timeScale = 1000.0

    public static var defaults: EDMSettings { EDMSettings() }

    public func validate() throws {
        try Self.require(sigmaData > 0, "sigmaData", "above 0, found \(sigmaData)")
        try Self.require(logDeviation > 0, "logDeviation", "above 0, found \(logDeviation)")
    }
}
