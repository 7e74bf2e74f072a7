import Checkpoints

/// Rebuilds the parity cases of `parity/diffusion`.
enum DiffusionVerification: FixtureFamily {
    static func recognizes(_ fixture: Fixture) -> Bool { false }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        throw UnsupportedFixture("\(fixture.name) cannot be rebuilt")
    }
}
