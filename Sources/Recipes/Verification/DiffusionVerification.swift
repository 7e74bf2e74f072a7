import Checkpoints
import Diffusion

/// Rebuilds the parity cases of `parity/diffusion`: tables, schedules, losses and whole sampling runs.
enum DiffusionVerification: FixtureFamily {
    private typealias Rebuild = @Sendable (inout DiffusionCheck) throws -> Void

    private static let kinds: [String: Rebuild] = [
        "tables": verifyTables, "respacing": verifyRespacing, "schedules": verifySchedules,
        "losses": verifyLosses, "bpd": verifyBound, "edm_loss": verifyEDMLoss, "flow_loss": verifyFlowLoss,
        "weights": verifyWeights, "conversions": verifyConversions, "power_ema": verifyPowerEMA,
        "trajectory": verifyTrajectory, "dico_trajectory": verifyDiCoTrajectory,
    ]

    static func recognizes(_ fixture: Fixture) -> Bool {
        fixture.config["kind"]?.string.map { kinds[$0] != nil } ?? false
    }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        guard let rebuild = kinds[try fixture.string("kind")] else {
            throw UnsupportedFixture("kind \"\(try fixture.string("kind"))\" is not one of diffusion's")
        }
        var check = DiffusionCheck(fixture)
        try rebuild(&check)
        return check.result
    }

    private static func verifyTrajectory(_ check: inout DiffusionCheck) throws {
        switch try check.fixture.string("library") {
        case "adm": try verifyADMTrajectory(&check)
        case "edm": try verifyEDMTrajectory(&check)
        case "edm2": try verifyEDM2Trajectory(&check)
        case "k-diffusion": try verifyKDiffusionTrajectory(&check)
        case "diffusers": try verifyDiffusersTrajectory(&check)
        case "SiT": try verifySiTTrajectory(&check)
        case let library: throw UnsupportedFixture("trajectories of \(library) cannot be rebuilt")
        }
    }
}
