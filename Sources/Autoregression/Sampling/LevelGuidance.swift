/// How strongly the class pulls, level by level: (1 + t)·conditional − t·unconditional.
public struct LevelGuidance: Codable, Hashable, Sendable {
    public enum Form: String, Codable, Hashable, Sendable, CaseIterable {
        /// t grows from 0 at the first level to the strength at the last (VAR).
        case ramp
        /// t is the strength at every level.
        case constant
    }

    /// t in the formula above; 0 for none. Elsewhere called scale − 1.
    public var strength: Double
    public var form: Form

    public init(strength: Double = 0, form: Form = .ramp) {
        self.strength = strength
        self.form = form
    }

    /// t at a level.
    public func strength(level: Int, of count: Int) -> Double {
        form == .constant ? strength : strength * levelRatio(level, of: count)
    }
}

/// Place of a level among all, from 0 to 1; 0 when there is only one.
public func levelRatio(_ level: Int, of count: Int) -> Double {
    count > 1 ? Double(level) / Double(count - 1) : 0
}
