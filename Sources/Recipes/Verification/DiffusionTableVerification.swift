import Checkpoints
import Diffusion
import Foundation

/// Float64 tables of a discrete process (`tables_*`).
func verifyTables(_ check: inout DiffusionCheck) throws {
    let process = try check.process()
    let alphas = process.alphasCumprod
    try check.compare("timestep_map", process.timesteps.map(Double.init))
    try check.compare("betas", process.betas)
    try check.compare("alphas_cumprod", alphas)
    try check.compare("alphas_cumprod_prev", process.alphasCumprodPrevious)
    try check.compare("alphas_cumprod_next", process.alphasCumprodNext)
    try check.compare("sqrt_alphas_cumprod", alphas.map { $0.squareRoot() })
    try check.compare("sqrt_one_minus_alphas_cumprod", alphas.map { (1 - $0).squareRoot() })
    try check.compare("log_one_minus_alphas_cumprod", alphas.map { log(1 - $0) })
    try check.compare("sqrt_recip_alphas_cumprod", alphas.map { (1 / $0).squareRoot() })
    try check.compare("sqrt_recipm1_alphas_cumprod", alphas.map { (1 / $0 - 1).squareRoot() })
    try check.compare("posterior_variance", process.posteriorVariance)
    try check.compare("posterior_log_variance_clipped", process.posteriorLogVarianceClipped)
    try check.compare("posterior_mean_coef1", process.posteriorMeanClean)
    try check.compare("posterior_mean_coef2", process.posteriorMeanNoisy)
}

/// Step lists and rebuilt betas of respaced processes (`respacing`).
func verifyRespacing(_ check: inout DiffusionCheck) throws {
    for entry in check.config["cases"]?.array ?? [] {
        guard let index = entry["index"]?.integer, let spec = entry["spec"]?.string,
            let count = entry["diffusion_steps"]?.integer
        else { throw UnsupportedFixture("a respacing case needs index, spec and diffusion_steps") }
        let schedule = try DiffusionCheck.schedule(entry["noise_schedule"]?.string ?? "linear")
        let process = try GaussianProcess(schedule, stepCount: count).respaced(spec)
        try check.compare("steps_\(index)", process.timesteps.map(Double.init))
        try check.compare("betas_\(index)", process.betas)
        try check.compare("alphas_cumprod_\(index)", process.alphasCumprod)
        try check.compare("posterior_log_variance_clipped_\(index)", process.posteriorLogVarianceClipped)
    }
}

/// The power-function average: exponents, decays and post-hoc weights (`power_ema`).
func verifyPowerEMA(_ check: inout DiffusionCheck) throws {
    let profiles = try check.values("std").map { PowerEMA(width: $0) }
    try check.compare("exp", profiles.map(\.exponent))
    let step = try check.fixture.number("t_delta")
    let decays = try check.values("t_next").flatMap { time in profiles.map { $0.decay(at: time, step: step) }
    }
    try check.compare("beta", decays)
    let stored = zip(try check.values("in_std"), try check.values("in_ofs")).map {
        (profile: PowerEMA(width: $0), time: $1)
    }
    let columns = zip(try check.values("out_std"), try check.values("out_ofs")).map {
        PowerEMA.coefficients(stored: stored, wanted: (PowerEMA(width: $0), $1))
    }
    try check.compare("posthoc_coef", stored.indices.flatMap { row in columns.map { $0[row] } })
}
