import Layers

/// How a tunable network is set: `strength=0.7`, or all its parameters as `tuning=[0.7, 0.3]`.
public struct TuningSettings: Settings, Hashable {
    /// 1 removes noise as well as the network can, 0 keeps it.
    public var strength: Double?
    public var tuning: [Double]?

    public static var defaults: TuningSettings { TuningSettings() }

    public init() {}

    public init(_ overrides: [SettingsOverride]) throws {
        try self.init(SettingsNode(.mapping([]), origin: "--set").applying(overrides))
    }

    public func validate() throws {
        try Self.require(strength == nil || tuning == nil, "tuning", "absent where strength is given")
        try Self.require(
            strength.map { (0...1).contains($0) } ?? true, "strength", "in 0…1, found \(strength ?? 0)")
        try Self.require(
            tuning.map { $0.allSatisfy(\.isFinite) } ?? true, "tuning", "numbers, found \(tuning ?? [])")
    }

    /// The values for a network of so many parameters; nil when nothing was set. A strength s is s alone, or (s, 1 − s).
    func values(count: Int) -> [Float]? {
        if let tuning { return tuning.map { Float($0) } }
        guard let strength else { return nil }
        return count == 1 ? [Float(strength)] : [Float(strength), Float(1 - strength)]
    }
}

extension DenoisingModel {
    /// The user's parameters as settings say them; nil where they say nothing.
    public func tuning(_ settings: TuningSettings) -> [Float]? {
        settings.values(count: network.kernel.tuningCount)
    }
}
