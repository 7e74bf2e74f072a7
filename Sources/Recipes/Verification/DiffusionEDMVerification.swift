import Checkpoints
import Diffusion
import Foundation
import Tensors

/// EDM's samplers on a mixture, in double precision (`traj_edm_*`).
func verifyEDMTrajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "noise_init")
    let recorder = EvaluationRecorder()
    var mixture = try DiffusionMixture(check, prediction: .clean)
    mixture.recorder = recorder
    let noise = try check.latent("noise_init")
    let model = GuidedModel(
        mixture, prediction: .clean, labels: try check.labels(count: noise.sampleCount))
    let (solver, grid) = try edmSolver(&check)
    let run = SamplingRun(
        model, solver: solver, grid: grid, path: ExplodingPath(),
        noise: RecordedNoise(draws: try check.latents("step_noise")), start: grid[0].noise * noise)
    let finished = run.finished()
    let calls = recorder.evaluations
    try check.compareIfPresent("eval_sigma", calls.map(\.level.sigma))
    try check.compareIfPresent("eval_x", calls.map { (1 / $0.level.signal) * $0.x })
    try check.compareIfPresent("eval_denoised", calls.map(\.clean))
    try check.compare("x", finished)
}

private func edmSolver(_ check: inout DiffusionCheck) throws -> (any Solver, [NoiseLevel]) {
    let name = try check.fixture.string("sampler")
    switch name {
    case "edm_sampler": return (Heun(churn: edmChurn(check)), try edmGrid(check))
    case "ablation_sampler": return try ablationSolver(&check)
    default: throw UnsupportedFixture("EDM's sampler \"\(name)\" is not known")
    }
}

private func edmChurn(_ check: DiffusionCheck) -> Churn {
    func number(_ key: String, _ otherwise: Double) -> Double { check.config[key]?.number ?? otherwise }
    return Churn(
        amount: number("S_churn", 0), minimum: number("S_min", 0), maximum: number("S_max", .infinity),
        noise: number("S_noise", 1))
}

private func edmGrid(_ check: DiffusionCheck) throws -> [NoiseLevel] {
    func number(_ key: String, _ otherwise: Double) -> Double { check.config[key]?.number ?? otherwise }
    let schedule = SigmaSchedule.karras(
        min: number("sigma_min", 0.002), max: number("sigma_max", 80), rho: number("rho", 7))
    return (schedule.sigmas(count: try check.fixture.integer("num_steps")) + [0])
        .map { ExplodingPath().level(sigma: $0) }
}

/// EDM's generalised sampler: a choice of noise levels, of σ(t) and of s(t).
private func ablationSolver(_ check: inout DiffusionCheck) throws -> (any Solver, [NoiseLevel]) {
    if (check.config["S_churn"]?.number ?? 0) > 0 || (check.config["alpha"]?.number ?? 1) != 1 {
        throw UnsupportedFixture("the ablation sampler is rebuilt without churn and with alpha 1")
    }
    let count = try check.fixture.integer("num_steps")
    let epsilon = check.config["epsilon_s"]?.number ?? 1e-3
    let discretization = try check.fixture.string("discretization")
    let vp = SigmaSchedule.variancePreserving(betaD: 19.9, betaMin: 0.1, epsilon: epsilon)
    let defaults: [String: (Double, Double)] = [
        "vp": (vp.sigmas(count: 2)[1], vp.sigmas(count: 2)[0]), "ve": (0.02, 100),
        "iddpm": (0.002, 81), "edm": (0.002, 80),
    ]
    guard let bounds = defaults[discretization] else {
        throw UnsupportedFixture("EDM's discretization \"\(discretization)\" is not known")
    }
    let low = check.config["sigma_min"]?.number ?? bounds.0
    let high = check.config["sigma_max"]?.number ?? bounds.1
    let fitted = ScaledPath.fitted(minimum: low, maximum: high, epsilon: epsilon)

    let sigmas: [Double]
    switch discretization {
    case "vp":
        let path = ScaledPath(fitted, isScaled: false)
        sigmas = (0..<count).map { path.sigma(time: 1 + Double($0) / Double(count - 1) * (epsilon - 1)) }
    case "ve":
        sigmas = SigmaSchedule.exponential(min: low, max: high).sigmas(count: count)
    case "iddpm":
        // Its table is a float32 one in the original, off by a last digit from one sine to another.
        check.doubleTolerance = 1e-5
        sigmas = SigmaSchedule.iddpm(min: low, max: high).sigmas(count: count)
    default: sigmas = SigmaSchedule.karras(min: low, max: high, rho: 7).sigmas(count: count)
    }
    let schedules: [String: ScaledPath.Schedule] = [
        "vp": fitted, "ve": .varianceExploding, "linear": .linear,
    ]
    guard let schedule = schedules[try check.fixture.string("schedule")] else {
        throw UnsupportedFixture("EDM's schedule \"\(try check.fixture.string("schedule"))\" is not known")
    }
    let path = ScaledPath(schedule, isScaled: try check.fixture.string("scaling") == "vp")
    let isEuler = check.config["solver"]?.string == "euler"
    let solver = RungeKutta(
        isEuler ? .euler : .heun, path: path, times: sigmas.map(path.time(sigma:)) + [0], eulerAtFinal: true)
    return (solver, solver.grid)
}

/// EDM2's sampler with classifier-free guidance or autoguidance (`traj_edm2_*`).
func verifyEDM2Trajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "noise_init")
    let recorder = EvaluationRecorder()
    var mixture = try DiffusionMixture(check, prediction: .clean)
    let mode = check.config["guidance_mode"]?.string ?? "cfg"
    var guidance = Guidance(scale: check.config["guidance"]?.number ?? 1)
    switch mode {
    case "cfg": break
    case "autoguidance":
        let weak = try DiffusionMixture(
            check, means: "guide_mu", deviations: "guide_std", prediction: .clean)
        guidance.reference = .weakModel(weak)
    default: throw UnsupportedFixture("EDM2's guidance \"\(mode)\" is not known")
    }
    if let interval = check.config["interval"]?.numbers, interval.count == 2 {
        guidance.sigmaInterval = (interval[0], interval[1])
    }
    mixture.recorder = recorder
    let noise = try check.latent("noise_init")
    let count = noise.sampleCount
    let model = GuidedModel(
        mixture, prediction: .clean, labels: try check.labels(count: count), guidance: guidance)
    let grid = try edmGrid(check)
    let finished = SamplingRun(
        model, solver: Heun(churn: edmChurn(check)), grid: grid, path: ExplodingPath(),
        noise: RecordedNoise(draws: try check.latents("step_noise")), start: grid[0].noise * noise
    ).finished()
    // With guidance the batch is doubled; the first half is what the sampler asked about.
    let calls = recorder.evaluations
    try check.compareIfPresent("eval_sigma", calls.map(\.level.sigma))
    try check.compareIfPresent("eval_x", calls.map { $0.x.samples(in: 0..<count) })
    try check.compare("x", finished)
}
