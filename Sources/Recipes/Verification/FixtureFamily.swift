import Checkpoints

/// A family of parity cases that can be rebuilt and compared.
///
/// A family recognises its cases by what they say of themselves (`config.kind`, `source`, their keys), never by the
/// values they hold, so that cases of other sizes made by a user work as well.
public protocol FixtureFamily: Sendable {
    /// Whether the case belongs to this family.
    static func recognizes(_ fixture: Fixture) -> Bool

    /// Rebuilds the case and compares everything comparable.
    /// - Throws: `UnsupportedFixture` for a kind the family knows of but cannot rebuild; any other error when the
    ///   case lacks what it needs.
    static func verify(_ fixture: Fixture) throws -> VerificationResult
}

/// A case that no family can rebuild.
public struct UnsupportedFixture: Error, CustomStringConvertible, Equatable {
    public var description: String

    public init(_ description: String) { self.description = description }
}
