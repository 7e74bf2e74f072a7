import Checkpoints
import Diffusion
import Foundation
import Tensors

/// A finished run of which everything is kept.
struct RecordedRun {
    var steps: [SamplingStep]
    var states: [Latent] { steps.map(\.state) }
    var finished: Latent { steps.last?.state ?? Latent(repeating: 0, shape: [0]) }

    init(_ run: SamplingRun) { steps = Array(run) }
}

/// DDPM and DDIM of a respaced discrete process on a mixture (`traj_dd*`).
func verifyADMTrajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "x_T")
    let process = try check.process()
    let prediction: Prediction = try check.fixture.bool("predict_xstart") ? .clean : .noise
    let variance = try admVariance(check)
    var mixture = try DiffusionMixture(check, prediction: prediction)
    mixture.answersVariance = variance.isLearned
    let start = try check.latent("x_T")
    let model = GuidedModel(
        mixture, prediction: prediction, labels: try check.labels(count: start.sampleCount),
        clipping: try check.fixture.bool("clip_denoised") ? .clamp(1) : .none)
    let run = RecordedRun(
        SamplingRun(
            model, solver: try admSolver(check, process, variance), grid: process.samplingGrid,
            path: DiscreteSchedule(process), noise: RecordedNoise(draws: try check.latents("step_noise")),
            start: start))
    try check.compare("timesteps", process.timesteps.reversed().map(Double.init))
    if check.hasOutput("pred_xstart") {
        try check.compare("pred_xstart", try admEstimates(check, model, process, start))
    }
    try check.compareIfPresent("trajectory", run.states)
    try check.compare("x", run.finished)
}

/// x̂₀ of every step from the recorded states, for the original's rounding of it grows with the state's own.
private func admEstimates(
    _ check: DiffusionCheck, _ model: GuidedModel, _ process: GaussianProcess, _ start: Latent
) throws -> [Latent] {
    let recorded = try check.fixture.output("trajectory")
    try check.require(
        recorded.shape == [process.stepCount] + (try check.fixture.input("x_T").shape),
        "output.trajectory is \(recorded.shape), the run has \(process.stepCount) steps")
    let states = [start] + check.split(recorded).dropLast()
    return states.enumerated().map { index, state in
        let t = process.stepCount - 1 - index
        let level = process.level(at: t)
        var unclipped = model
        unclipped.clipping = .none
        let estimate = unclipped.estimate(state, at: level, step: index, of: states.count)
        guard model.prediction == .noise else { return model.clipping(estimate.clean) }
        return model.clipping(
            DiffusionSinglePrecision.clean(
                noisy: state, noise: estimate.noise, alpha: process.alphasCumprod[t]))
    }
}

private func admVariance(_ check: DiffusionCheck) throws -> ReverseVariance {
    switch try check.fixture.string("variance") {
    case "learned": .learnedRange
    case "large": .fixedLarge
    case "small": .fixedSmall
    case let kind: throw UnsupportedFixture("the variance \"\(kind)\" is not known")
    }
}

/// The solver that ADM's config names.
func admSolver(
    _ check: DiffusionCheck, _ process: GaussianProcess, _ variance: ReverseVariance
) throws -> any Solver {
    switch try check.fixture.string("sampler") {
    case "ddpm": DDPM(process: process, variance: variance)
    case "ddim": DDIM(eta: try check.fixture.number("eta"))
    case let name: throw UnsupportedFixture("ADM's sampler \"\(name)\" is not known")
    }
}

/// k-diffusion's samplers on a mixture (`traj_k_*`).
func verifyKDiffusionTrajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "noise_init")
    let schedule = try kSchedule(check)
    let sigmas = schedule.sigmas(count: try check.fixture.integer("num_steps")) + [0]
    let grid = sigmas.map { ExplodingPath().level(sigma: $0) }
    let recorder = EvaluationRecorder()
    var mixture = try DiffusionMixture(check, prediction: .clean)
    mixture.recorder = recorder
    let noise = try check.latent("noise_init")
    let model = GuidedModel(
        mixture, prediction: .clean, labels: try check.labels(count: noise.sampleCount))
    var firstCalls: [Int] = []
    var finished = noise
    let run = SamplingRun(
        model, solver: try kSolver(check), grid: grid, path: ExplodingPath(),
        noise: RecordedNoise(draws: try check.latents("step_noise")), start: sigmas[0] * noise)
    var iterator = run.makeIterator()
    for _ in 0..<run.stepCount {
        firstCalls.append(recorder.evaluations.count)
        if let step = iterator.next() { finished = step.state }
    }
    let calls = recorder.evaluations
    try check.compareIfPresent("eval_x", calls.map(\.x))
    try check.compareIfPresent("eval_sigma", calls.map(\.level.sigma))
    try check.compareIfPresent("step_x", firstCalls.map { calls[$0].x })
    try check.compare("x", finished)
}

private func kSchedule(_ check: DiffusionCheck) throws -> SigmaSchedule {
    let (low, high) = (try check.fixture.number("sigma_min"), try check.fixture.number("sigma_max"))
    switch try check.fixture.string("schedule") {
    case "karras": return .karras(min: low, max: high, rho: try check.fixture.number("rho"))
    case "exponential": return .exponential(min: low, max: high)
    case "polyexponential": return .polyexponential(min: low, max: high, rho: try check.fixture.number("rho"))
    case let name: throw UnsupportedFixture("k-diffusion's schedule \"\(name)\" is not known")
    }
}

private func kSolver(_ check: DiffusionCheck) throws -> any Solver {
    func number(_ key: String, _ otherwise: Double) -> Double { check.config[key]?.number ?? otherwise }
    let churn = Churn(
        amount: number("s_churn", 0), minimum: number("s_tmin", 0), maximum: number("s_tmax", .infinity),
        noise: number("s_noise", 1))
    let eta = number("eta", 1)
    let name = try check.fixture.string("sampler")
    switch name {
    case "sample_euler": return Euler(churn: churn)
    case "sample_heun": return Heun(churn: churn)
    case "sample_dpm_2": return DPM2(churn: churn)
    case "sample_euler_ancestral": return EulerAncestral(eta: eta)
    case "sample_dpmpp_2s_ancestral": return DPMSolver2SAncestral(eta: eta)
    case "sample_dpmpp_sde": return DPMSolverSDE(eta: eta, ratio: number("r", 0.5))
    case "sample_dpmpp_2m": return DPMSolver2M()
    case "sample_dpmpp_2m_sde":
        let rule = MultistepRule(rawValue: check.config["solver_type"]?.string ?? "midpoint")
        return DPMSolver2MSDE(eta: eta, rule: rule ?? .midpoint)
    case "sample_dpmpp_3m_sde": return DPMSolver3MSDE(eta: eta)
    case "sample_lms": return LinearMultistep(order: check.config["order"]?.integer ?? 4)
    default: throw UnsupportedFixture("k-diffusion's sampler \"\(name)\" is not known")
    }
}

/// SiT's ODE and SDE samplers on a mixture (`traj_sit_*`).
func verifySiTTrajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "x_init")
    let path = try interpolant(try check.fixture.string("path"))
    let bounds = path.timeBounds(prediction: .pathVelocity)
    let count = try check.fixture.integer("num_steps")
    let even = (0..<count).map { i in
        bounds.lowerBound + (bounds.upperBound - bounds.lowerBound) * Double(i) / Double(count - 1)
    }
    let relativeTolerance = check.config["rtol"]?.number ?? 1e-3
    let (solver, grid): (any Solver, [NoiseLevel])
    switch try check.fixture.string("sampler") {
    case "ode_euler": (solver, grid) = fixed(RungeKutta(.euler, path: path, times: even))
    case "ode_heun2": (solver, grid) = fixed(RungeKutta(.heun, path: path, times: even))
    case "ode_rk4": (solver, grid) = fixed(RungeKutta(.rk4, path: path, times: even))
    case "ode_dopri5":
        let method = DormandPrince(
            path: path, times: even, absoluteTolerance: check.config["atol"]?.number ?? 1e-6,
            relativeTolerance: relativeTolerance)
        (solver, grid) = (method, method.grid)
    case "sde_Euler":
        let method = try sitSDE(check, path, count)
        (solver, grid) = (method, method.grid)
    case let name: throw UnsupportedFixture("SiT's sampler \"\(name)\" is not known")
    }
    let start = try check.latent("x_init")
    let mixture = try DiffusionMixture(check, prediction: .pathVelocity)
    let model = GuidedModel(
        mixture, prediction: .pathVelocity, labels: try check.labels(count: start.sampleCount))
    let run = RecordedRun(
        SamplingRun(
            model, solver: solver, grid: grid, path: FlowPath(),
            noise: RecordedNoise(draws: try check.latents("step_noise")), start: start))
    if solver is DormandPrince {
        // Its first step comes from an error estimate at the level of float32 rounding, and every later one
        // from it: two machines agree to a fraction of the tolerance asked for, not to rounding.
        check.tolerance = max(check.tolerance, relativeTolerance / 10)
    }
    // The ODE's trajectory begins with the starting noise, the SDE's does not.
    try check.compareIfPresent("trajectory", (solver is PathSDE ? [] : [start]) + run.states)
    try check.compare("x", run.finished)
}

private func fixed(_ solver: RungeKutta) -> (any Solver, [NoiseLevel]) { (solver, solver.grid) }

private func sitSDE(_ check: DiffusionCheck, _ path: Interpolant, _ count: Int) throws -> PathSDE {
    guard check.config["diffusion_form"]?.string == "sigma" else {
        throw UnsupportedFixture("only the diffusion form \"sigma\" is known")
    }
    let last = (check.config["last_step"]?.string ?? "Mean").lowercased()
    guard let lastStep = PathSDE.LastStep(rawValue: last) else {
        throw UnsupportedFixture("SiT's last step \"\(last)\" is not known")
    }
    return PathSDE(
        path: path,
        times: PathSDE.times(count: count, lastStepSize: check.config["last_step_size"]?.number ?? 0.04),
        lastStep: lastStep)
}
