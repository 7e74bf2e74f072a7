import Checkpoints

/// A small DiCo in ADM's sampling loop (`traj_dico_*`).
func verifyDiCoTrajectory(_ check: inout DiffusionCheck) throws {
    throw UnsupportedFixture("kind \"dico_trajectory\" is not known")
}
