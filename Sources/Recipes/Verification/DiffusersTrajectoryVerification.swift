import Checkpoints
import Diffusion
import Foundation
import Tensors

/// diffusers' schedulers on a mixture (`traj_d_*`).
func verifyDiffusersTrajectory(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "noise_init")
    let config = check.config["scheduler_config"] ?? .object([:])
    let name = try check.fixture.string("scheduler")
    let grid = try DiffusersGrid(
        name, config: config, count: try check.fixture.integer("num_steps"),
        timestepArguments: check.config["set_timesteps_kwargs"])
    let model = try diffusersModel(check, name, config)
    let steps: [SamplingStep]
    var isExploding = false
    if name == "DDIMScheduler" {
        steps = try ddimSteps(check, model, config, grid)
    } else {
        let solver = try diffusersSolver(name, config, isFlow: grid.isFlow)
        isExploding = solver.space == .exploding
        let noise = try check.fixture.number("init_noise_sigma") * (try check.latent("noise_init"))
        let run = SamplingRun(
            model, solver: solver, grid: grid.levels,
            path: grid.isFlow ? FlowPath() : DiscreteSchedule(try diffusersProcess(config)),
            noise: RecordedNoise(draws: try check.latents("step_noise")),
            start: isExploding ? grid.levels[0].signal * noise : noise)
        steps = Array(run)
    }
    // Euler-type schedulers keep their state as x₀ + σε.
    let states = steps.map { isExploding ? (1 / $0.level.signal) * $0.state : $0.state }
    try check.compare("timesteps", grid.timesteps)
    try check.compareIfPresent("sigmas", grid.sigmas)
    try check.compareIfPresent("model_output", steps.map(\.output))
    try check.compareIfPresent("trajectory", states)
    if let last = states.last { try check.compare("x", last) }
}

private func diffusersModel(
    _ check: DiffusionCheck, _ name: String, _ config: JSONValue
) throws -> GuidedModel {
    let prediction: Prediction
    switch try check.fixture.string("prediction") {
    case "epsilon": prediction = .noise
    case "sample": prediction = .clean
    case "v_prediction": prediction = .velocity
    case let kind where kind.hasPrefix("flow"): prediction = .flow
    case let kind: throw UnsupportedFixture("the prediction \"\(kind)\" is not known")
    }
    var guidance: Guidance?
    if let settings = check.config["guidance"], let scale = settings["scale"]?.number {
        guidance = Guidance(
            scale: scale, rescale: settings["rescale"]?.number ?? 0,
            stepInterval: (settings["start"]?.number ?? 0, settings["stop"]?.number ?? 1))
    }
    var clipping = Clipping.none
    if name == "DDIMScheduler", config["clip_sample"]?.bool ?? true {
        clipping = .clamp(config["clip_sample_range"]?.number ?? 1)
    }
    let count = try check.fixture.input("noise_init").shape[0]
    return GuidedModel(
        try DiffusionMixture(check, prediction: prediction), prediction: prediction,
        labels: try check.labels(count: count), guidance: guidance, clipping: clipping, clipsNoise: false)
}

private func diffusersSolver(_ name: String, _ config: JSONValue, isFlow: Bool) throws -> any Solver {
    switch name {
    case "FlowMatchEulerDiscreteScheduler": return DDIM()
    case "EulerDiscreteScheduler": return Euler()
    case "EulerAncestralDiscreteScheduler": return EulerAncestral()
    case "DPMSolverMultistepScheduler":
        let algorithm = config["algorithm_type"]?.string ?? "dpmsolver++"
        guard algorithm == "dpmsolver++" || algorithm == "sde-dpmsolver++" else {
            throw UnsupportedFixture("the algorithm \"\(algorithm)\" is not known")
        }
        return DPMSolver(
            order: config["solver_order"]?.integer ?? 2,
            rule: MultistepRule(rawValue: config["solver_type"]?.string ?? "midpoint") ?? .midpoint,
            isStochastic: algorithm == "sde-dpmsolver++",
            eulerAtFinal: config["euler_at_final"]?.bool ?? false,
            lowersFinalOrder: config["lower_order_final"]?.bool ?? true)
    case "UniPCMultistepScheduler":
        return UniPC(
            order: config["solver_order"]?.integer ?? 2,
            basis: UniPC.Basis(rawValue: config["solver_type"]?.string ?? "bh2") ?? .bh2,
            predictsClean: config["predict_x0"]?.bool ?? true,
            lowersFinalOrder: config["lower_order_final"]?.bool ?? true)
    default: throw UnsupportedFixture("diffusers' \(name) is not known")
    }
}

/// diffusers' DDIM steps to t − ⌊T/N⌋, which for some spacings is not the next timestep of its own list, so
/// every step is a run of its own.
private func ddimSteps(
    _ check: DiffusionCheck, _ model: GuidedModel, _ config: JSONValue, _ grid: DiffusersGrid
) throws -> [SamplingStep] {
    let process = try diffusersProcess(config)
    let eta = check.config["step_kwargs"]?["eta"]?.number ?? 0
    let draws = try check.latents("step_noise")
    let count = grid.timesteps.count
    let final: NoiseLevel = config["set_alpha_to_one"]?.bool ?? true ? .clean() : process.level(at: 0)
    var state = try check.fixture.number("init_noise_sigma") * (try check.latent("noise_init"))
    return grid.timesteps.enumerated().map { index, time in
        let target = Int(time) - process.stepCount / count
        let from = process.level(at: Int(time))
        var stepModel = model
        stepModel.guidance?.stepInterval = nil
        if let guidance = model.guidance, !guidance.applies(at: from, step: index, of: count) {
            stepModel.guidance = nil
        }
        let run = SamplingRun(
            stepModel, solver: DDIM(eta: eta),
            grid: [from, target >= 0 ? process.level(at: target) : final],
            path: DiscreteSchedule(process),
            noise: RecordedNoise(draws: index < draws.count ? [draws[index]] : []), start: state)
        let steps = Array(run)
        state = steps[0].state
        return steps[0]
    }
}
