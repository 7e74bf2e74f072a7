import Foundation

/// The tables of a discrete variance-preserving diffusion (DDPM/ADM), possibly respaced, in `Double`.
///
/// Index 0 is the first noising step. A respaced process is a process of its own whose betas give the same ᾱ
/// at the steps it keeps; `timesteps` says what the network is told.
public struct GaussianProcess: Sendable {
    /// Original step index of each step.
    public let timesteps: [Int]
    /// Number of steps the network was trained with.
    public let trainingStepCount: Int
    public let betas: [Double]
    /// ᾱ, and its neighbours one step earlier (1 before the first) and later (0 after the last).
    public let alphasCumprod, alphasCumprodPrevious, alphasCumprodNext: [Double]
    /// β̃ and its logarithm; entry 0 of the logarithm copies entry 1, because β̃₀ = 0. A process of one step
    /// has no entry 1 and its clipped table is empty, as in ADM.
    public let posteriorVariance, posteriorLogVarianceClipped: [Double]
    /// q(x_{t−1} | x_t, x₀) has mean c₁·x₀ + c₂·x_t.
    public let posteriorMeanClean, posteriorMeanNoisy: [Double]

    public init(betas: [Double], timesteps: [Int], trainingStepCount: Int) {
        precondition(betas.count == timesteps.count, "every step needs a beta and a timestep")
        self.betas = betas
        self.timesteps = timesteps
        self.trainingStepCount = trainingStepCount
        let alphas = cumulativeSignal(betas: betas)
        let previous = [1.0] + alphas.dropLast()
        alphasCumprod = alphas
        alphasCumprodPrevious = previous
        alphasCumprodNext = alphas.dropFirst() + [0.0]
        let variance = betas.indices.map { betas[$0] * (1 - previous[$0]) / (1 - alphas[$0]) }
        posteriorVariance = variance
        posteriorLogVarianceClipped =
            variance.count > 1 ? ([variance[1]] + variance.dropFirst()).map { log($0) } : []
        posteriorMeanClean = betas.indices.map { betas[$0] * previous[$0].squareRoot() / (1 - alphas[$0]) }
        posteriorMeanNoisy = betas.indices.map {
            (1 - previous[$0]) * (1 - betas[$0]).squareRoot() / (1 - alphas[$0])
        }
    }

    /// The process with every training step.
    /// - Parameter zeroTerminalSNR: rescale so that the last step is pure noise; needs a velocity or clean
    ///   prediction.
    public init(_ schedule: BetaSchedule, stepCount: Int = 1000, zeroTerminalSNR: Bool = false) {
        var betas = schedule.betas(count: stepCount)
        if zeroTerminalSNR {
            betas = Diffusion.betas(cumulativeSignal: zeroTerminalSignal(cumulativeSignal(betas: betas)))
        }
        self.init(betas: betas, timesteps: Array(0..<stepCount), trainingStepCount: stepCount)
    }

    public var stepCount: Int { betas.count }

    /// The process that visits only the steps named by an ADM specification such as "250" or "ddim50".
    public func respaced(_ specification: String) throws -> GaussianProcess {
        respaced(to: try Respacing.steps(specification, of: stepCount))
    }

    /// The process that visits only `steps`, ascending indices into this one.
    public func respaced(to steps: [Int]) -> GaussianProcess {
        var last = 1.0
        let unique = Set(steps).sorted()
        let betas = unique.map { step in
            defer { last = alphasCumprod[step] }
            return 1 - alphasCumprod[step] / last
        }
        return GaussianProcess(
            betas: betas, timesteps: unique.map { timesteps[$0] }, trainingStepCount: trainingStepCount)
    }

    /// The level of step t: x_t = √ᾱ·x₀ + √(1−ᾱ)·ε, told to the network as the original step index.
    public func level(at t: Int) -> NoiseLevel {
        NoiseLevel(
            signal: alphasCumprod[t].squareRoot(), noise: (1 - alphasCumprod[t]).squareRoot(),
            time: Double(timesteps[t]))
    }

    /// The levels a sampler visits, noisiest first, ending without noise.
    public var samplingGrid: [NoiseLevel] {
        (0..<stepCount).reversed().map(level(at:)) + [.clean()]
    }
}
