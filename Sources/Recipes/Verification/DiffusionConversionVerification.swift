import Checkpoints
import Diffusion
import Foundation
import Tensors

/// Conversions between predictions, guidance and thresholding (`conversions`).
func verifyConversions(_ check: inout DiffusionCheck) throws {
    let shape = try check.fixture.input("x0").shape
    try check.require(shape.count == 4, "input.x0 is \(shape), not [N, C, H, W]")
    try check.requireShape(["model_output", "noise", "uncond"], shape)
    try check.requireShape(["alphas_cumprod", "flow_sigma"], [shape[0]])
    for stored in check.fixture.outputs {
        try check.require(stored.shape == shape, "output.\(stored.name) is \(stored.shape), not \(shape)")
    }
    let alphas = try check.values("alphas_cumprod")
    let levels = alphas.map {
        NoiseLevel(signal: $0.squareRoot(), noise: (1 - $0).squareRoot(), time: 0)
    }
    let clean = try check.latent("x0")
    let noise = try check.latent("noise")
    let noisy = mixed(clean, noise, levels)
    try check.compare("x_t", noisy)
    try check.compare(
        "v",
        perSample(levels, like: clean) { n, level in
            let (onClean, onNoise) = Prediction.velocity.targetCoefficients(at: level)
            return .combine((onClean, clean.sample(n)), (onNoise, noise.sample(n)))
        })
    try verifyPredictions(&check, noisy: noisy, levels)
    try verifyFlowConversions(&check, clean: clean, noise: noise)
    try verifyGuidance(&check)
}

private func verifyPredictions(
    _ check: inout DiffusionCheck, noisy: Latent, _ levels: [NoiseLevel]
) throws {
    let output = try check.latent("model_output")
    let kinds: [(String, Prediction)] = [
        ("epsilon", .noise), ("sample", .clean), ("v_prediction", .velocity),
    ]
    for (name, prediction) in kinds {
        func convert(_ rule: (NoiseLevel, Latent, Latent) -> Latent) -> Latent {
            perSample(levels, like: noisy) { n, level in
                let (x, o) = (noisy.sample(n), output.sample(n))
                return rule(
                    level, prediction.clean(from: o, x: x, at: level),
                    prediction.noise(from: o, x: x, at: level))
            }
        }
        func target(_ kind: Prediction) -> Latent {
            convert { level, clean, noise in
                let (onClean, onNoise) = kind.targetCoefficients(at: level)
                return .combine((onClean, clean), (onNoise, noise))
            }
        }
        try check.compare(name + "_to_x0", target(.clean))
        try check.compare(name + "_to_eps", target(.noise))
        if check.hasOutput(name + "_to_v") { try check.compare(name + "_to_v", target(.velocity)) }
        try check.compare(name + "_to_score", target(.score))
        // dx/dσ of x₀ + σε is the noise itself; the original takes it as a difference of its own x_t and x̂₀.
        let noisyStored = DiffusionCheck.latent(try check.fixture.output("x_t"))
        let cleanStored = DiffusionCheck.latent(try check.fixture.output(name + "_to_x0"))
        try check.compare(
            name + "_to_ve_derivative",
            perSample(levels, like: noisy) { n, level in
                DiffusionSinglePrecision.slope(
                    noisy: noisyStored.sample(n), clean: cleanStored.sample(n), at: level)
            })
    }
}

private func verifyFlowConversions(
    _ check: inout DiffusionCheck, clean: Latent, noise: Latent
) throws {
    let levels = try check.values("flow_sigma").map { FlowPath().level(time: $0) }
    let output = try check.latent("model_output")
    let noisy = mixed(clean, noise, levels)
    try check.compare("flow_x_t", noisy)
    try check.compare("flow_target", noise - clean)
    try check.compare(
        "flow_to_x0",
        perSample(levels, like: clean) { n, level in
            Prediction.flow.clean(from: output.sample(n), x: noisy.sample(n), at: level)
        })
    try check.compare(
        "flow_to_eps",
        perSample(levels, like: clean) { n, level in
            Prediction.flow.noise(from: output.sample(n), x: noisy.sample(n), at: level)
        })
}

/// Guided and thresholded outputs, whose names carry the numbers: `cfg4_rescale_0.7`,
/// `dynamic_threshold_0p9_max1p5`.
private func verifyGuidance(_ check: inout DiffusionCheck) throws {
    let main = try check.latent("model_output")
    let reference = try check.latent("uncond")
    for stored in check.fixture.outputs {
        let name = stored.name
        let parts = name.split(separator: "_")
        if name.hasPrefix("cfg"), let scale = Double(parts[0].dropFirst(3)) {
            var guidance = Guidance(scale: scale)
            if name.hasSuffix("original_formulation") { guidance = .original(scale: scale) }
            if parts.count == 3, parts[1] == "rescale" { guidance.rescale = Double(parts[2]) ?? 0 }
            let guided = guidance.combine(
                main: main, reference: reference, dataChannels: main.shape.channels)
            try check.compare(name, guided)
        } else if name.hasPrefix("dynamic_threshold_"), parts.count == 4 {
            let numbers = parts.dropFirst(2).compactMap {
                Double($0.replacingOccurrences(of: "max", with: "").replacingOccurrences(of: "p", with: "."))
            }
            guard numbers.count == 2 else { throw UnsupportedFixture("\"\(name)\" is not understood") }
            let clipping = Clipping.dynamic(quantile: numbers[0], maximum: numbers[1])
            try check.compare(name, clipping(try check.latent("threshold_in")))
        }
    }
}

private func mixed(_ clean: Latent, _ noise: Latent, _ levels: [NoiseLevel]) -> Latent {
    perSample(levels, like: clean) { n, level in
        .combine((level.signal, clean.sample(n)), (level.noise, noise.sample(n)))
    }
}

private func perSample(
    _ levels: [NoiseLevel], like x: Latent, _ body: (Int, NoiseLevel) -> Latent
) -> Latent {
    Latent(shape: x.shape, values: levels.enumerated().flatMap { body($0.offset, $0.element).values })
}

extension Latent {
    fileprivate func sample(_ n: Int) -> Latent { samples(in: n..<n + 1) }
}
