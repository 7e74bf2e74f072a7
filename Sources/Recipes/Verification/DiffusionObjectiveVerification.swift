import Checkpoints
import Diffusion
import Foundation
import Tensors

/// EDM's loss and its gradient (`edm_loss`).
func verifyEDMLoss(_ check: inout DiffusionCheck) throws {
    let shape = try check.fixture.input("y").shape
    try check.require(shape.count == 4, "input.y is \(shape), not [N, C, H, W]")
    try check.requireShape(["noise", "F"], shape)
    try check.requireShape(["rnd_normal"], [shape[0]])
    let sigmaData = try check.fixture.number("sigma_data")
    let objective = RegressionObjective.edm(
        sigmaData: sigmaData, logMean: try check.fixture.number("P_mean"),
        logDeviation: try check.fixture.number("P_std"))
    let clean = try check.latent("y")
    let normal = try check.values("rnd_normal")
    let output = try check.latent("F")
    let example = objective.example(
        clean: clean.tensor,
        draw: TrainingDraw(
            noise: try check.latent("noise").tensor, uniform: Array(repeating: 0, count: normal.count),
            normal: normal))
    try check.compare("sigma", example.levels.map(\.sigma))
    try check.compare("noisy", Latent(example.noisy))

    // The case's loss is element-wise and its gradient that of the mean over everything.
    let edm = Preconditioning(sigmaData: sigmaData)
    let noisy = Latent(example.noisy)
    let losses = example.levels.indices.flatMap { n -> [Double] in
        let level = example.levels[n]
        let range = n..<n + 1
        let denoised = objective.prediction.clean(
            from: output.samples(in: range), x: noisy.samples(in: range), at: level)
        return denoised.zip(clean.samples(in: range)) { d, y in
            edm.weight(sigma: level.sigma) * (d - y) * (d - y)
        }.values
    }
    try check.compare("loss", Latent(shape: clean.shape, values: losses))
    try check.compareGradient("F", objective.evaluate(output: output.tensor, example: example).gradient)
}

/// SiT's losses on every path and their gradients (`flow_loss`).
func verifyFlowLoss(_ check: inout DiffusionCheck) throws {
    let shape = try check.fixture.input("x1_data").shape
    try check.require(shape.count == 4, "input.x1_data is \(shape), not [N, C, H, W]")
    try check.requireShape(["model_output", "x0_noise"], shape)
    try check.requireShape(["u"], [shape[0]])
    let clean = try check.latent("x1_data").tensor
    let output = try check.latent("model_output").tensor
    let uniform = try check.values("u")
    let draw = TrainingDraw(
        noise: try check.latent("x0_noise").tensor, uniform: uniform,
        normal: Array(repeating: 0, count: uniform.count))
    for entry in check.config["cases"]?.array ?? [] {
        guard let key = entry["key"]?.string else { throw UnsupportedFixture("a flow case has no key") }
        let objective = try flowObjective(entry)
        let example = objective.example(clean: clean, draw: draw)
        let evaluation = objective.evaluate(
            output: output, example: example, weights: Array(repeating: 1, count: uniform.count))
        try check.compare(key + "_t", example.levels.map(\.time))
        try check.compare(key + "_xt", Latent(example.noisy))
        try check.compare(key + "_loss", evaluation.losses)
        try check.compareGradient(key + "_model_output", evaluation.gradient)
    }
}

private func flowObjective(_ entry: JSONValue) throws -> RegressionObjective {
    let path = try interpolant(entry["path"]?.string ?? "")
    let prediction: Prediction
    switch entry["prediction"]?.string {
    case "velocity": prediction = .pathVelocity
    case "noise": prediction = .noise
    case "score": prediction = .score
    case let kind: throw UnsupportedFixture("SiT's prediction \(kind ?? "(none)") is not known")
    }
    let weight: LossWeight
    switch entry["loss_weight"]?.string {
    case nil: weight = prediction == .score ? .noiseError : .uniform
    case "velocity": weight = .pathVelocity
    case "likelihood": weight = .pathLikelihood
    case let kind?: throw UnsupportedFixture("SiT's loss weight \(kind) is not known")
    }
    let bounds = path.timeBounds(prediction: prediction, epsilon: entry["train_eps"]?.number)
    return RegressionObjective(
        levels: .interpolant(path, bounds: bounds), prediction: prediction, weight: weight)
}

/// SiT's name of a path.
func interpolant(_ name: String) throws -> Interpolant {
    switch name {
    case "Linear": .linear
    case "GVP": .generalizedVP
    case "VP": .variancePreserving
    default: throw UnsupportedFixture("SiT's path \"\(name)\" is not known")
    }
}
