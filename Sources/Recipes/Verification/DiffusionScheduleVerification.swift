import Checkpoints
import Diffusion
import Foundation

/// Lists of σ, timesteps and betas of several libraries (`schedules`).
func verifySchedules(_ check: inout DiffusionCheck) throws {
    for entry in check.config["entries"]?.array ?? [] {
        guard let key = entry["key"]?.string else { throw UnsupportedFixture("a schedule has no key") }
        guard let values = try scheduleValues(key, entry, check) else {
            throw UnsupportedFixture("the schedule \"\(key)\" is not known")
        }
        if entry["fn"]?.string == "betas", entry["rescale_betas_zero_snr"]?.bool == true {
            // Such a β is 1 minus a ratio taken in float32; the ratio is what the original computed.
            try check.compare(key, values, as: "1 − ") { 1 - $0 }
        } else {
            try check.compare(key, values)
        }
    }
}

private func scheduleValues(
    _ key: String, _ entry: JSONValue, _ check: DiffusionCheck
) throws -> [Double]? {
    if let name = entry["cls"]?.string {
        let grid = try DiffusersGrid(
            name, config: entry, count: entry["n"]?.integer ?? 0, timestepArguments: entry)
        return key.hasSuffix("_timesteps") ? grid.timesteps : grid.sigmas
    }
    if entry["beta_schedule"] != nil {
        let process = try diffusersProcess(entry)
        return entry["fn"]?.string == "betas" ? process.betas : process.alphasCumprod
    }
    if key.hasPrefix("kdiscrete_") { return try discreteValues(key, check) }
    return sigmaValues(entry)
}

private func sigmaValues(_ entry: JSONValue) -> [Double]? {
    func number(_ key: String, _ otherwise: Double) -> Double { entry[key]?.number ?? otherwise }
    let (low, high) = (number("sigma_min", 0.002), number("sigma_max", 80))
    let schedule: SigmaSchedule
    switch entry["fn"]?.string ?? "" {
    case "get_sigmas_karras": schedule = .karras(min: low, max: high, rho: number("rho", 7))
    case "get_sigmas_exponential": schedule = .exponential(min: low, max: high)
    case "get_sigmas_polyexponential":
        schedule = .polyexponential(min: low, max: high, rho: number("rho", 1))
    case "get_sigmas_vp":
        schedule = .variancePreserving(
            betaD: number("beta_d", 19.9), betaMin: number("beta_min", 0.1), epsilon: number("eps_s", 1e-3))
    case let name where name.hasPrefix("iDDPMPrecond u table"):
        return SigmaSchedule.iddpmTable(
            stepCount: entry["M"]?.integer ?? 1000, floor: number("C_1", 1e-3), offset: number("C_2", 0.008))
    default: return nil
    }
    return schedule.sigmas(count: entry["n"]?.integer ?? 0) + [0]
}

/// k-diffusion's reading of ADM's linear process.
private func discreteValues(_ key: String, _ check: DiffusionCheck) throws -> [Double]? {
    let schedule = DiscreteSchedule(GaussianProcess(.linear))
    switch key {
    case "kdiscrete_sigma_to_t": return try check.values("sigma_list").map(schedule.timestep(sigma:))
    case "kdiscrete_sigma_to_t_quantized":
        return try check.values("sigma_list").map { Double(schedule.nearestTimestep(sigma: $0)) }
    case "kdiscrete_t_to_sigma": return try check.values("t_list").map(schedule.sigma(timestep:))
    default:
        guard key.hasPrefix("kdiscrete_get_sigmas_"), let count = Int(key.split(separator: "_")[3]) else {
            return nil
        }
        let last = Double(schedule.stepCount - 1)
        return (0..<count).map { schedule.sigma(timestep: last * (1 - Double($0) / Double(count - 1))) } + [0]
    }
}
