import Diffusion
import Foundation
import Tensors
import Testing

@Suite struct SolverTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var solver: any Solver
        /// By which factor the error must at least fall when the steps are doubled.
        var gain: Double
        var testDescription: String { name }
    }

    static let deterministic: [Case] = [
        Case(name: "DDIM", solver: DDIM(), gain: 1.8), Case(name: "Euler", solver: Euler(), gain: 1.8),
        Case(name: "Heun", solver: Heun(), gain: 3.5), Case(name: "DPM2", solver: DPM2(), gain: 3.5),
        Case(name: "2M", solver: DPMSolver2M(), gain: 3),
        Case(name: "LMS", solver: LinearMultistep(order: 3), gain: 4),
        Case(name: "2S", solver: DPMSolver2SAncestral(eta: 0), gain: 3.5),
        Case(name: "SDE without noise", solver: DPMSolverSDE(eta: 0), gain: 3.5),
        Case(name: "2M SDE without noise", solver: DPMSolver2MSDE(eta: 0), gain: 3),
        Case(name: "3M SDE without noise", solver: DPMSolver3MSDE(eta: 0), gain: 4),
        Case(name: "DPM-Solver 1", solver: DPMSolver(order: 1), gain: 1.8),
        Case(name: "DPM-Solver 2", solver: DPMSolver(order: 2), gain: 3),
        Case(name: "DPM-Solver 2 heun", solver: DPMSolver(order: 2, rule: .heun), gain: 3),
        Case(name: "DPM-Solver 3", solver: DPMSolver(order: 3), gain: 4),
        Case(name: "UniPC 2", solver: UniPC(order: 2, lowersFinalOrder: false), gain: 4),
        Case(name: "UniPC 3 bh1", solver: UniPC(order: 3, basis: .bh1, lowersFinalOrder: false), gain: 6),
        Case(
            name: "UniPC 2 noise form",
            solver: UniPC(order: 2, predictsClean: false, lowersFinalOrder: false),
            gain: 4),
    ]

    /// The error of a run to a low σ, where the exact answer is known.
    static func error(_ solver: any Solver, steps: Int) -> Double {
        let model = GaussianModel()
        let sigmas = SigmaSchedule.exponential(min: 0.1, max: 8).sigmas(count: steps + 1)
        let grid = sigmas.map { ExplodingPath().level(sigma: $0) }
        let start = latent([2, 2, 3, 3], bound: 8)
        let run = SamplingRun(
            GuidedModel(model, prediction: .clean, labels: [nil, nil]), solver: solver, grid: grid,
            path: ExplodingPath(), noise: RecordedNoise(draws: []), start: start)
        return maximumDifference(run.finished(), model.flow(start, from: 8, to: 0.1))
    }

    @Test(arguments: deterministic)
    func `a deterministic solver converges at its order`(_ solver: Case) {
        let (coarse, fine) = (Self.error(solver.solver, steps: 32), Self.error(solver.solver, steps: 64))
        #expect(fine < 0.1)
        #expect(coarse / fine > solver.gain, "errors \(coarse) and \(fine)")
    }

    static let stochastic: [Case] = [
        Case(name: "DDIM 1", solver: DDIM(eta: 1), gain: 0),
        Case(name: "Euler churn", solver: Euler(churn: Churn(amount: 10)), gain: 0),
        Case(name: "Heun churn", solver: Heun(churn: .imageNet64), gain: 0),
        Case(name: "Euler a", solver: EulerAncestral(), gain: 0),
        Case(name: "2S a", solver: DPMSolver2SAncestral(), gain: 0),
        Case(name: "SDE", solver: DPMSolverSDE(), gain: 0),
        Case(name: "2M SDE", solver: DPMSolver2MSDE(), gain: 0),
        Case(name: "3M SDE", solver: DPMSolver3MSDE(), gain: 0),
        Case(name: "DPM-Solver SDE", solver: DPMSolver(order: 2, isStochastic: true), gain: 0),
    ]

    @Test(arguments: stochastic)
    func `a stochastic solver keeps the data's mean and spread`(_ solver: Case) {
        let model = GaussianModel()
        let shape: Shape = [8, 16, 16, 3]
        let noise = SeededNoise(seeds: Array(1...8))
        let run = SamplingRun(
            GuidedModel(model, prediction: .clean, labels: Array(repeating: nil, count: 8)),
            solver: solver.solver, grid: sigmaGrid(60), path: ExplodingPath(), noise: noise,
            start: 10 * noise.latent(draw: 0, shape: shape))
        let values = run.finished().values
        let mean = values.reduce(0, +) / Double(values.count)
        let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        #expect(abs(mean - model.mean) < 0.05)
        #expect(abs(spread / model.deviation - 1) < 0.08, "\(spread) for \(model.deviation)")
    }

    @Test(arguments: stochastic)
    func `a sample depends on its own seed only`(_ solver: Case) {
        func sample(_ seeds: [UInt64]) -> Latent {
            let noise = SeededNoise(seeds: seeds)
            let shape: Shape = [seeds.count, 3, 5, 3]
            return SamplingRun(
                GuidedModel(
                    GaussianModel(labelShift: 0.1), prediction: .clean,
                    labels: seeds.map { Int($0) % 3 }, guidance: Guidance(scale: 2, rescale: 0.7)),
                solver: solver.solver, grid: sigmaGrid(9), path: ExplodingPath(), noise: noise,
                start: 10 * noise.latent(draw: 0, shape: shape)
            ).finished()
        }
        let batch = sample([3, 4, 5])
        for (index, seed) in [UInt64(3), 4, 5].enumerated() {
            #expect(sample([seed]).values == batch.samples(in: index..<index + 1).values)
        }
    }

    @Test func `DDPM keeps the data's mean and spread`() {
        let model = GaussianModel(prediction: .noise)
        let process = GaussianProcess(.linear)
        let noise = SeededNoise(seeds: [1, 2, 3, 4])
        let run = SamplingRun(
            GuidedModel(model, prediction: .noise, labels: [nil, nil, nil, nil]),
            solver: DDPM(process: process, variance: .fixedSmall), grid: process.samplingGrid,
            path: DiscreteSchedule(process), noise: noise,
            start: noise.latent(draw: 0, shape: [4, 8, 8, 3]))
        let values = run.finished().values
        let mean = values.reduce(0, +) / Double(values.count)
        let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        #expect(abs(mean - model.mean) < 0.06 && abs(spread / model.deviation - 1) < 0.1)
    }

    @Test(arguments: [
        Case(name: "DDIM", solver: DDIM(), gain: 0), Case(name: "DPM 2", solver: DPMSolver(), gain: 0),
        Case(name: "DPM 3", solver: DPMSolver(order: 3), gain: 0),
        Case(name: "UniPC 2", solver: UniPC(), gain: 0),
        Case(name: "UniPC 3", solver: UniPC(order: 3), gain: 0),
    ])
    func `a solver in the process' own state starts where no signal is left`(_ solver: Case) {
        let process = GaussianProcess(.linear, zeroTerminalSNR: true)
        let model = GaussianModel(prediction: .velocity)
        let grid = TimestepSpacing.trailing.timesteps(20, of: 1000).map { process.level(at: Int($0)) }
        // What rounding leaves of ᾱ at the end is made exactly nothing.
        let first = NoiseLevel(signal: 0, noise: 1, time: 999)
        let start = latent([1, 4, 4, 2])
        let run = SamplingRun(
            GuidedModel(model, prediction: .velocity, labels: [nil]), solver: solver.solver,
            grid: [first] + grid.dropFirst() + [.clean()], path: DiscreteSchedule(process),
            noise: RecordedNoise(draws: []), start: start)
        let exact = start.map { model.mean + model.deviation * $0 }
        #expect(maximumDifference(run.finished(), exact) < 0.1)
    }

    @Test func `deterministic DDIM can be walked backwards`() {
        let process = GaussianProcess(.cosine)
        let model = GuidedModel(GaussianModel(prediction: .noise), prediction: .noise, labels: [nil])
        let grid = stride(from: 990, through: 10, by: -10).map(process.level(at:))
        let start = latent([1, 3, 3, 2])
        func run(_ grid: [NoiseLevel], _ start: Latent) -> Latent {
            SamplingRun(
                model, solver: DDIM(), grid: grid, path: DiscreteSchedule(process),
                noise: RecordedNoise(draws: []), start: start
            ).finished()
        }
        let image = run(grid, start)
        #expect(maximumDifference(run(grid.reversed(), image), start) < 0.05)
    }
}
