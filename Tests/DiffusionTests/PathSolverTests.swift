import Diffusion
import Foundation
import Tensors
import Testing

@Suite struct PathSolverTests {
    /// The exact end of the flow of N(mean, deviation²) that starts at `start` as pure noise.
    static func exact(_ model: GaussianModel, _ start: Latent) -> Latent {
        start.map { model.mean + model.deviation * $0 }
    }

    static func run(_ solver: any Solver, _ grid: [NoiseLevel], _ start: Latent) -> Latent {
        let model = GaussianModel(prediction: .pathVelocity)
        return SamplingRun(
            GuidedModel(
                model, prediction: .pathVelocity, labels: Array(repeating: nil, count: start.sampleCount)),
            solver: solver, grid: grid, path: FlowPath(), noise: SeededNoise(seeds: Array(1...8)),
            start: start
        ).finished()
    }

    @Test(arguments: [
        (RungeKutta.Method.euler, 1.8), (.heun, 3.5), (.rk4, 12),
    ])
    func `a fixed-step method converges at its order on a path`(
        _ method: RungeKutta.Method, _ gain: Double
    ) {
        let start = latent([2, 3, 3, 1])
        func error(_ count: Int) -> Double {
            // Short of t = 1, where this model's noise estimate is 0/0.
            let times = (0...count).map { 0.9 * Double($0) / Double(count) }
            let solver = RungeKutta(method, path: Interpolant.generalizedVP, times: times)
            let level = Interpolant.generalizedVP.level(time: 0.9)
            let model = GaussianModel()
            let spread = (level.signal * level.signal * 0.25 + level.noise * level.noise).squareRoot()
            let exact = start.map { level.signal * model.mean + spread * $0 }
            return maximumDifference(Self.run(solver, solver.grid, start), exact)
        }
        #expect(error(20) / error(40) > gain, "errors \(error(20)) and \(error(40))")
    }

    @Test(arguments: [Interpolant.linear, .generalizedVP])
    func `the adaptive method keeps its tolerance`(_ path: Interpolant) {
        let start = latent([2, 3, 3, 1])
        let times = (0...4).map { 0.225 * Double($0) }
        let solver = DormandPrince(
            path: path, times: times, absoluteTolerance: 1e-9, relativeTolerance: 1e-9)
        let level = path.level(time: 0.9)
        let spread = (level.signal * level.signal * 0.25 + level.noise * level.noise).squareRoot()
        let exact = start.map { level.signal * 0.3 + spread * $0 }
        #expect(maximumDifference(Self.run(solver, solver.grid, start), exact) < 1e-7)
    }

    @Test(arguments: [true, false])
    func `SiT's time and rectified flow's are one process run both ways`(_ isStochastic: Bool) {
        let start = latent([2, 3, 3, 1])
        let times = (0...12).map { Double($0) / 12 }
        let back = times.map { 1 - $0 }
        let pairs: [(any Solver, [NoiseLevel])] =
            isStochastic
            ? [(Interpolant.linear as any TimedPath, times), (FlowPath(), back)].map {
                let solver = PathSDE(path: $0, times: $1)
                return (solver, solver.grid)
            }
            : [(Interpolant.linear as any TimedPath, times), (FlowPath(), back)].map {
                let solver = DormandPrince(path: $0, times: Array($1.dropLast()))
                return (solver, solver.grid)
            }
        let ends = pairs.map { Self.run($0, $1, start) }
        #expect(maximumDifference(ends[0], ends[1]) < 1e-9)
    }

    @Test(arguments: PathSDE.LastStep.allCases)
    func `the SDE keeps the data's mean and spread`(_ lastStep: PathSDE.LastStep) {
        let solver = PathSDE(
            path: Interpolant.linear, times: PathSDE.times(count: 200, lastStepSize: 0.01), lastStep: lastStep
        )
        let start = SeededNoise(seeds: Array(11...18)).latent(draw: 0, shape: [8, 16, 16, 1])
        let values = Self.run(solver, solver.grid, start).values
        let mean = values.reduce(0, +) / Double(values.count)
        let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        #expect(abs(mean - 0.3) < 0.05 && abs(spread / 0.5 - 1) < 0.08)
    }
}
