import Diffusion
import Foundation
import Testing

@Suite struct ScheduleTests {
    @Test(arguments: [
        SigmaSchedule.karras(min: 0.1, max: 20, rho: 7), .exponential(min: 0.1, max: 20),
        .polyexponential(min: 0.1, max: 20, rho: 1.5), .beta(min: 0.1, max: 20, alpha: 0.6, beta: 0.6),
    ])
    func `σ falls from the highest to the lowest`(_ schedule: SigmaSchedule) {
        let sigmas = schedule.sigmas(count: 13)
        #expect(sigmas.count == 13)
        #expect(abs(sigmas[0] - 20) < 1e-9 && abs(sigmas[12] - 0.1) < 1e-9)
        #expect(zip(sigmas, sigmas.dropFirst()).allSatisfy { $0 > $1 })
        #expect(schedule.sigmas(count: 1).count == 1)
    }

    @Test(arguments: [(0.6, 0.6), (1.0, 1.0), (2.0, 5.0)])
    func `the beta distribution's quantile inverts its cumulative`(_ alpha: Double, _ beta: Double) {
        let distribution = BetaDistribution(alpha: alpha, beta: beta)
        for p in [0, 0.01, 0.3, 0.5, 0.9, 0.999, 1] {
            #expect(abs(distribution.cumulative(distribution.quantile(p)) - p) < 1e-12)
        }
        if alpha == 1 && beta == 1 { #expect(abs(distribution.cumulative(0.37) - 0.37) < 1e-14) }
    }

    @Test(arguments: [BetaSchedule.linear, .cosine, .stableDiffusion], [10, 100, 1000])
    func `the zero-terminal process ends without signal and begins unchanged`(
        _ schedule: BetaSchedule, _ count: Int
    ) {
        let plain = GaussianProcess(schedule, stepCount: count)
        let process = GaussianProcess(schedule, stepCount: count, zeroTerminalSNR: true)
        #expect(abs(process.alphasCumprod[0] - plain.alphasCumprod[0]) < 1e-12)
        #expect(abs(process.alphasCumprod[count - 1]) < 1e-12)
        #expect(DiscreteSchedule(process).sigmas.allSatisfy { $0.isFinite })
    }

    @Test func `a respaced process keeps the signal of the steps it keeps`() throws {
        let process = GaussianProcess(.linear)
        let short = try process.respaced("10,15,20")
        #expect(short.stepCount == 45)
        for (index, step) in short.timesteps.enumerated() {
            #expect(abs(short.alphasCumprod[index] - process.alphasCumprod[step]) < 1e-14)
        }
    }

    @Test(arguments: ["", "ddim25", "250", "7"])
    func `respacing visits ascending steps of the process`(_ specification: String) throws {
        let steps = try Respacing.steps(specification, of: 1000)
        #expect(zip(steps, steps.dropFirst()).allSatisfy { $0 < $1 })
        #expect(steps.allSatisfy { (0..<1000).contains($0) })
    }

    @Test(arguments: [
        ("ddim999", "no integer stride"), ("1001", "ask for at most 1000"), ("ten", "is not understood"),
        ("10,,5", "is not understood"), ("ddim", "is not understood"), ("0", "is not understood"),
    ])
    func `a respacing that cannot be met says why`(_ specification: String, _ expected: String) {
        let error = #expect(throws: RespacingError.self) { try Respacing.steps(specification, of: 1000) }
        #expect(error?.description.contains(expected) == true)
    }

    @Test func `σ and timestep are inverse between trained levels`() {
        let schedule = DiscreteSchedule(GaussianProcess(.linear))
        for t in [0, 0.25, 10.5, 500, 998.75, 999] {
            #expect(abs(schedule.timestep(sigma: schedule.sigma(timestep: t)) - t) < 1e-8)
        }
        #expect(schedule.timestep(sigma: 0) == 0 && schedule.timestep(sigma: 1e9) == 999)
    }

    @Test(arguments: [1.0, 3, 0.5])
    func `flow times fall from noise to data`(_ shift: Double) {
        let times = FlowSchedule.times(count: 9, shift: shift)
        #expect(times.count == 10 && times[0] == 1 && times[9] == 0)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 > $1 })
    }

    @Test(arguments: TimestepSpacing.allCases, [1, 7, 10, 50])
    func `every spacing gives descending timesteps`(_ spacing: TimestepSpacing, _ count: Int) {
        for list in [
            spacing.timesteps(count, of: 1000), spacing.multistepTimesteps(count, of: 1000, trained: 1000),
        ] {
            #expect(list.count == count)
            #expect(list.allSatisfy { (0...999).contains($0) })
            #expect(zip(list, list.dropFirst()).allSatisfy { $0 > $1 })
        }
    }

    @Test(arguments: [0.05, 0.1, 0.2])
    func `a power-function average has the width asked for and is made of itself`(_ width: Double) {
        let profile = PowerEMA(width: width)
        #expect(abs(profile.width - width) < 1e-12)
        #expect(profile.decay(at: 64, step: 64) == 0)
        let other = PowerEMA(width: width + 0.03)
        let weights = PowerEMA.coefficients(
            stored: [(profile, 1000), (other, 1000), (profile, 500)], wanted: (profile, 1000))
        #expect(abs(weights[0] - 1) < 1e-9 && abs(weights[1]) < 1e-9 && abs(weights[2]) < 1e-9)
    }
}
