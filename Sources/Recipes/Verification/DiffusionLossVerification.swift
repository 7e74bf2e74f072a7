import Checkpoints
import Diffusion
import Foundation
import Tensors

/// A discrete process' losses, moments, single sampling steps and gradient (`loss_*`).
func verifyLosses(_ check: inout DiffusionCheck) throws {
    let process = try check.process()
    let shape = try check.fixture.input("x_start").shape
    try check.require(
        shape.count == 4 && !shape.contains(0), "input.x_start is \(shape), not [N, C, H, W]")
    try check.require(process.stepCount > 1, "the process has a single step, whose variance is undefined")
    try check.requireShape(["t"], [shape[0]])
    try check.requireSteps("t", below: process.stepCount)
    try check.requireShape(["noise", "step_noise"], shape)
    let tensors = try LossCase(check, process)
    let outputChannels = shape[1] * (tensors.objective.learnsVariance ? 2 : 1)
    try check.requireShape(["model_output"], [shape[0], outputChannels] + shape.dropFirst(2))
    let stored = try check.fixture.output("x_t").shape
    let weights = try check.fixture.cotangent("loss").shape
    try check.require(
        stored == shape && weights == [shape[0]], "output.x_t or cotangent.loss do not fit \(shape)")
    try verifyLossValues(&check, tensors)
    try verifyMoments(&check, tensors)
    try verifySingleSteps(&check, tensors)
}

/// The tensors of one loss case.
private struct LossCase {
    let process: GaussianProcess
    let objective: HybridObjective
    let steps: [Int]
    let clean, noise, stepNoise, output: Latent
    /// x_t as the case has it, rounded to float32, for what follows amplifies its last digit.
    let storedNoisy: Latent

    init(_ check: DiffusionCheck, _ process: GaussianProcess) throws {
        self.process = process
        objective = HybridObjective(
            process: process, prediction: try Self.prediction(check), variance: try Self.variance(check),
            loss: try Self.loss(check))
        steps = try check.fixture.input("t").integers
        clean = try check.latent("x_start")
        noise = try check.latent("noise")
        stepNoise = try check.latent("step_noise")
        output = try check.latent("model_output")
        storedNoisy = DiffusionCheck.latent(try check.fixture.output("x_t"))
    }

    private static func prediction(_ check: DiffusionCheck) throws -> Prediction {
        switch try check.fixture.string("mean_type") {
        case "EPSILON": .noise
        case "START_X": .clean
        case let kind: throw UnsupportedFixture("the mean type \(kind) is not known")
        }
    }

    private static func variance(_ check: DiffusionCheck) throws -> ReverseVariance {
        switch try check.fixture.string("var_type") {
        case "LEARNED_RANGE": .learnedRange
        case "FIXED_LARGE": .fixedLarge
        case "FIXED_SMALL": .fixedSmall
        case let kind: throw UnsupportedFixture("the variance type \(kind) is not known")
        }
    }

    private static func loss(_ check: DiffusionCheck) throws -> HybridObjective.LossKind {
        switch try check.fixture.string("loss_type") {
        case "MSE": .meanSquare
        case "RESCALED_MSE": .rescaledMeanSquare
        case "KL": .variationalBound
        case "RESCALED_KL": .rescaledVariationalBound
        case let kind: throw UnsupportedFixture("the loss type \(kind) is not known")
        }
    }

    var channels: Int { clean.shape.channels }

    /// The case's samples one at a time: each has a step of its own.
    func perSample(_ body: (Int, Int) -> Latent) -> Latent {
        let parts = steps.enumerated().map { body($0.offset, $0.element) }
        return Latent(shape: clean.shape, values: parts.flatMap(\.values))
    }

    func sample(_ latent: Latent, _ n: Int) -> Latent { latent.samples(in: n..<n + 1) }

    func noisy(_ n: Int) -> Latent { sample(storedNoisy, n) }

    func estimate(_ n: Int, _ t: Int, _ clipping: Clipping) -> Latent {
        let main = sample(output, n).channels(in: 0..<channels)
        guard objective.prediction == .noise else {
            return clipping(
                objective.prediction.clean(from: main, x: noisy(n), at: process.level(at: t)))
        }
        return clipping(
            DiffusionSinglePrecision.clean(noisy: noisy(n), noise: main, alpha: process.alphasCumprod[t]))
    }

    func logVariance(_ n: Int, _ t: Int) -> Latent {
        let range =
            objective.learnsVariance ? sample(output, n).channels(in: channels..<2 * channels) : nil
        return process.logVariance(objective.variance, range: range, like: sample(clean, n), at: t)
    }

    func mean(_ n: Int, _ t: Int, clean: Latent) -> Latent {
        .combine((process.posteriorMeanClean[t], clean), (process.posteriorMeanNoisy[t], noisy(n)))
    }
}

private func verifyLossValues(_ check: inout DiffusionCheck, _ c: LossCase) throws {
    let example = c.objective.example(clean: c.clean.tensor, noise: c.noise.tensor, steps: c.steps)
    let evaluation = c.objective.evaluate(
        output: c.output.tensor, example: example, weights: try check.fixture.cotangent("loss").doubles)
    try check.compare("x_t", Latent(example.noisy))
    try check.compare("loss", evaluation.losses)
    try check.compareIfPresent("mse", evaluation.parts["mse"] ?? [])
    try check.compareIfPresent("vb", evaluation.parts["vb"] ?? [])
    try check.compareGradient("model_output", evaluation.gradient)

    let bound = VariationalBound(
        process: c.process, prediction: c.objective.prediction, variance: c.objective.variance)
    let clipped = c.steps.enumerated().map { n, t in
        bound.term(
            clean: c.sample(c.clean, n), noise: c.sample(c.noise, n), noisy: c.noisy(n),
            output: c.sample(c.output, n), step: t
        ).bound[0]
    }
    try check.compare("vb_clip", clipped)
    try check.compare(
        "prior_bpd", DiffusionSinglePrecision.prior(clean: c.clean, process: c.process))
}

private func verifyMoments(_ check: inout DiffusionCheck, _ c: LossCase) throws {
    for (prefix, clipping) in [("p_", Clipping.none), ("p_clip_", .clamp(1))] {
        try check.compare(prefix + "pred_xstart", c.perSample { c.estimate($0, $1, clipping) })
        try check.compare(
            prefix + "mean", c.perSample { c.mean($0, $1, clean: c.estimate($0, $1, clipping)) })
        try check.compare(prefix + "log_variance", c.perSample { c.logVariance($0, $1) })
        try check.compare(
            prefix + "variance",
            c.perSample { n, t in
                c.process.variance(c.objective.variance, logVariance: c.logVariance(n, t), at: t)
            })
    }
    try check.compare("q_post_mean", c.perSample { n, t in c.mean(n, t, clean: c.sample(c.clean, n)) })
    try check.compare(
        "q_post_log_variance",
        c.perSample { n, t in
            Latent(
                repeating: c.process.posteriorLogVarianceClipped[t], shape: c.sample(c.clean, n).shape)
        })
}

/// One step of every sampler from the case's x_t, through the solvers themselves.
private func verifySingleSteps(_ check: inout DiffusionCheck, _ c: LossCase) throws {
    let process = c.process
    func step(_ solver: any Solver, _ n: Int, _ t: Int, to target: NoiseLevel) -> Latent {
        let model = GuidedModel(
            RecordedOutput(value: c.sample(c.output, n)), prediction: c.objective.prediction, labels: [nil])
        let grid = [process.level(at: t), target]
        let run = SamplingRun(
            model, solver: solver, grid: grid, path: DiscreteSchedule(process),
            noise: RecordedNoise(draws: [c.sample(c.stepNoise, n)]), start: c.noisy(n))
        return run.finished()
    }
    func level(alpha: Double) -> NoiseLevel {
        NoiseLevel(signal: alpha.squareRoot(), noise: (1 - alpha).squareRoot(), time: 0)
    }
    for (name, eta) in [("ddim_eta0", 0.0), ("ddim_eta1", 1.0)] {
        try check.compare(
            name,
            c.perSample { n, t in
                step(DDIM(eta: eta), n, t, to: level(alpha: process.alphasCumprodPrevious[t]))
            })
    }
    try check.compare(
        "ddim_reverse",
        c.perSample { n, t in step(DDIM(), n, t, to: level(alpha: process.alphasCumprodNext[t])) })
    try check.compare(
        "ddpm",
        c.perSample { n, t in
            let solver = DDPM(process: process, variance: c.objective.variance, firstStep: t)
            return step(solver, n, t, to: level(alpha: process.alphasCumprodPrevious[t]))
        })
}

/// A network that always gives the recorded answer.
struct RecordedOutput: LatentModel {
    var value: Latent

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent { value }
}

/// The whole variational bound (`bpd_*`).
func verifyBound(_ check: inout DiffusionCheck) throws {
    try check.requireSampling(state: "x_start")
    var model = try DiffusionMixture(check, prediction: .noise)
    model.answersVariance = true
    let bound = VariationalBound(
        process: try check.process(), clipping: try check.fixture.bool("clip_denoised") ? .clamp(1) : .none)
    let clean = try check.latent("x_start")
    let noise = try check.latents("step_noise")
    try check.require(
        bound.process.stepCount > 1 && noise.count == bound.process.stepCount,
        "the case holds \(noise.count) draws for \(bound.process.stepCount) steps")
    let labels = try check.labels(count: clean.sampleCount)
    let found = bound.evaluate(clean: clean, labels: labels, model: model) { noise[$0] }
    func table(_ key: KeyPath<VariationalBound.Term, [Double]>) -> [Double] {
        (0..<clean.sampleCount).flatMap { n in found.terms.map { $0[keyPath: key][n] } }
    }
    try check.compare("total_bpd", found.total)
    try check.compare(
        "prior_bpd", DiffusionSinglePrecision.prior(clean: clean, process: bound.process))
    try check.compare("vb", table(\.bound))
    try check.compare("xstart_mse", table(\.cleanError))
    try check.compare("mse", table(\.noiseError))
}
