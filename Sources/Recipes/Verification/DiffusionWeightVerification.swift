import Checkpoints
import Diffusion
import Foundation
import Tensors

/// Loss weights, preconditioning and time distributions (`weights`).
///
/// An output's name says what it is and with which numbers (`edm_0p5_weight`, `logit_normal_m05_1p2`), so each
/// is parsed and rebuilt.
func verifyWeights(_ check: inout DiffusionCheck) throws {
    for stored in check.fixture.outputs {
        let name = stored.name
        guard let values = try weightValues(name, check) else {
            throw UnsupportedFixture("the weight \"\(name)\" is not known")
        }
        try check.compare(name, values)
    }
}

private func weightValues(_ name: String, _ check: DiffusionCheck) throws -> [Double]? {
    if name == "snr" || name.hasPrefix("minsnr") { return try signalToNoiseValues(name, check) }
    if name.hasPrefix("v_") { return try velocityValues(name, check) }
    if name.hasPrefix("edm_sigma_") || name.hasPrefix("edm2_sigma_") {
        let numbers = fileNumbers(name)
        guard numbers.count == 2 else { return nil }
        let sampling = LevelSampling.logNormal(
            mean: numbers[0], deviation: numbers[1], path: ExplodingPath())
        return try check.values("normal").map { sampling.level(uniform: 0, normal: $0).0.sigma }
    }
    if name.hasPrefix("edm_") || name.hasPrefix("k_") { return try preconditioningValues(name, check) }
    if let values = try flowTimeValues(name, check) { return values }
    return try flowWeightValues(name, check)
}

/// The numbers in a name where `p` is the point and a leading `m` the minus sign; `m05` means −0.5.
private func fileNumbers(_ name: String) -> [Double] {
    name.split(separator: "_").compactMap { part in
        var text = part.replacingOccurrences(of: "p", with: ".")
        let isNegative = text.hasPrefix("m") && text.dropFirst().first?.isNumber == true
        if isNegative { text.removeFirst() }
        if text.hasPrefix("0"), text.count > 1, !text.contains(".") { text = "0." + text.dropFirst() }
        return Double(text).map { isNegative ? -$0 : $0 }
    }
}

private func signalToNoiseValues(_ name: String, _ check: DiffusionCheck) throws -> [Double]? {
    let process = GaussianProcess(.linear)
    try check.requireSteps("t", below: process.stepCount)
    let levels = try check.fixture.input("t").integers.map {
        DiffusionSinglePrecision.level(process.alphasCumprod[$0])
    }
    if name == "snr" { return levels.map(\.signalToNoise) }
    let parts = name.dropFirst("minsnr".count).split(separator: "_")
    guard parts.count == 2, let gamma = Double(parts[0]) else { return nil }
    let predictions: [Substring: Prediction] = ["eps": .noise, "v": .velocity, "x0": .clean]
    guard let prediction = predictions[parts[1]] else { return nil }
    return levels.map { LossWeight.minimumSNR(gamma: gamma).factor(at: $0, prediction: prediction) }
}

private func preconditioningValues(_ name: String, _ check: DiffusionCheck) throws -> [Double]? {
    guard let sigmaData = fileNumbers(name).first else { return nil }
    let edm = Preconditioning(sigmaData: sigmaData)
    let rules: [(String, (Double) -> Double)] = [
        ("c_skip", { edm.coefficients(sigma: $0).skip }), ("c_out", { edm.coefficients(sigma: $0).out }),
        ("c_in", { edm.coefficients(sigma: $0).input }),
        ("c_noise", { edm.coefficients(sigma: $0).noise }),
        ("soft_min_snr", { edm.softMinimumSNR(sigma: $0) }), ("weight", { edm.weight(sigma: $0) }),
        // k-diffusion's "snr" weighting is c_skip.
        ("snr", { edm.coefficients(sigma: $0).skip }),
    ]
    guard let rule = rules.first(where: { name.hasSuffix($0.0) }) else { return nil }
    return try check.values("sigma").map(rule.1)
}

/// A v-model as a denoiser of x = x₀ + σε: the velocity rule of the unit-variance level, seen from there.
private func velocityValues(_ name: String, _ check: DiffusionCheck) throws -> [Double]? {
    let sigmas = try check.values("sigma")
    func coefficients(_ sigma: Double) -> (Double, Double) {
        let signal = 1 / (1 + sigma * sigma).squareRoot()
        let level = NoiseLevel(signal: signal, noise: sigma * signal, time: 0)
        let (onState, onOutput) = Prediction.velocity.cleanCoefficients(at: level)
        return (onState * signal, onOutput)
    }
    switch name {
    case "v_c_skip": return sigmas.map { coefficients($0).0 }
    case "v_c_out": return sigmas.map { coefficients($0).1 }
    case "v_t_crowson": return sigmas.map { atan($0) * 2 / Double.pi }
    default: return nil
    }
}

private func flowTimeValues(_ name: String, _ check: DiffusionCheck) throws -> [Double]? {
    let numbers = fileNumbers(name)
    let sampling: FlowTimeSampling
    if name == "uniform" {
        sampling = .uniform
    } else if name.hasPrefix("logit_normal_"), numbers.count == 2 {
        sampling = .logitNormal(mean: numbers[0], deviation: numbers[1])
    } else if name.hasPrefix("mode_"), numbers.count == 1 {
        sampling = .mode(scale: numbers[0])
    } else {
        return nil
    }
    return zip(try check.values("uniform"), try check.values("normal")).map {
        sampling.time(uniform: $0, normal: $1)
    }
}

private func flowWeightValues(_ name: String, _ check: DiffusionCheck) throws -> [Double]? {
    let times = try check.values("flow_sigma")
    if name.hasPrefix("flow_shift"), let shift = Double(name.dropFirst("flow_shift".count)) {
        return times.map { FlowSchedule.shifted($0, by: shift) }
    }
    if name.hasPrefix("flow_mu"), let mu = Double(name.dropFirst("flow_mu".count)) {
        return times.map { FlowSchedule.shifted($0, by: exp(mu)) }
    }
    let weights: [String: LossWeight] = [
        "sd3_weight_none": .uniform, "sd3_weight_sigma_sqrt": .inverseSquareTime,
        "sd3_weight_cosmap": .cosmap,
    ]
    return weights[name].map { weight in
        times.map { weight.factor(at: FlowPath().level(time: $0), prediction: .flow) }
    }
}
