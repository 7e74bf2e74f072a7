import Checkpoints

/// Rebuilds the parity cases of `parity/dico`.
enum DiCoVerification: FixtureFamily {
    static func recognizes(_ fixture: Fixture) -> Bool { false }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        throw UnsupportedFixture("\(fixture.name) cannot be rebuilt")
    }
}
