import Denoising
import Layers

/// One number for all images, or an interval from which each draws its own: `25` or `[0, 55]`.
public struct LevelRange: Codable, Hashable, Sendable {
    public var interval: Interval

    public init(_ low: Double, _ high: Double) { interval = Interval(low, high) }

    public init(from decoder: any Decoder) throws {
        if let value = try? decoder.singleValueContainer().decode(Double.self) {
            interval = Interval(value)
            return
        }
        let values = try decoder.singleValueContainer().decode([Double].self)
        guard values.count == 2, values[0] <= values[1] else {
            throw ConfigurationError(field: "", demand: "a number, or two as in [0, 55], found \(values)")
        }
        interval = Interval(values[0], values[1])
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if interval.low == interval.high {
            try container.encode(interval.low)
        } else {
            try container.encode([interval.low, interval.high])
        }
    }
}

/// How clean images become noisy (`NoiseModel`).
public enum NoiseSettings: TaggedSettings, Hashable {
    case gaussian(GaussianSettings)
    /// σ varies over the image.
    case gaussianField(GaussianSettings)
    case poisson(PoissonSettings)
    case poissonGaussian(PoissonGaussianSettings)
    /// As cameras have it; for linear images.
    case camera(CameraSettings)

    public struct GaussianSettings: Settings, Hashable {
        /// On the 0–255 scale.
        public var sigma = LevelRange(25, 25)
        public static var defaults: GaussianSettings { GaussianSettings() }
        public func validate() throws {
            try Self.require(sigma.interval.low >= 0, "sigma", "at least 0, found \(sigma.interval.low)")
        }
    }

    public struct PoissonSettings: Settings, Hashable {
        /// Ten to this power photons make white.
        public var exponent = LevelRange(2, 4)
        public static var defaults: PoissonSettings { PoissonSettings() }
    }

    public struct PoissonGaussianSettings: Settings, Hashable {
        /// The variance of a sample x is a·x + b.
        public var a = LevelRange(1e-4, 0.012)
        public var b = LevelRange(1e-6, 1e-3)
        public static var defaults: PoissonGaussianSettings { PoissonGaussianSettings() }
        public func validate() throws {
            try Self.require(a.interval.low >= 0, "a", "at least 0, found \(a.interval.low)")
            try Self.require(b.interval.low >= 0, "b", "at least 0, found \(b.interval.low)")
        }
    }

    public struct CameraSettings: Settings, Hashable {
        /// unprocessing or sidd.
        public var prior = CameraNoisePrior.unprocessing
        public static var defaults: CameraSettings { CameraSettings() }
    }

    enum Kind: String, Codable, CaseIterable {
        case gaussian, gaussianField, poisson, poissonGaussian, camera
    }
    private enum Key: String, CodingKey { case kind }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
        case .gaussian: self = .gaussian(try .members(of: decoder))
        case .gaussianField: self = .gaussianField(try .members(of: decoder))
        case .poisson: self = .poisson(try .members(of: decoder))
        case .poissonGaussian: self = .poissonGaussian(try .members(of: decoder))
        case .camera: self = .camera(try .members(of: decoder))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .gaussian(let settings):
            try container.encode(Kind.gaussian, forKey: .kind)
            try settings.encode(to: encoder)
        case .gaussianField(let settings):
            try container.encode(Kind.gaussianField, forKey: .kind)
            try settings.encode(to: encoder)
        case .poisson(let settings):
            try container.encode(Kind.poisson, forKey: .kind)
            try settings.encode(to: encoder)
        case .poissonGaussian(let settings):
            try container.encode(Kind.poissonGaussian, forKey: .kind)
            try settings.encode(to: encoder)
        case .camera(let settings):
            try container.encode(Kind.camera, forKey: .kind)
            try settings.encode(to: encoder)
        }
    }

    public var model: NoiseModel {
        switch self {
        case .gaussian(let settings): .gaussian(sigma: settings.sigma.interval)
        case .gaussianField(let settings): .gaussianField(sigma: settings.sigma.interval)
        case .poisson(let settings): .poisson(exponent: settings.exponent.interval)
        case .poissonGaussian(let settings):
            .poissonGaussian(a: settings.a.interval, b: settings.b.interval)
        case .camera(let settings): .camera(settings.prior)
        }
    }
}
