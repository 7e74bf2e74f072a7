import Foundation

/// Ancestral sampling of a discrete process (DDPM, arXiv 2006.11239, Algorithm 2): the posterior mean plus
/// noise of the model's own variance.
public struct DDPM: Solver {
    /// The process whose `samplingGrid` the run walks.
    public var process: GaussianProcess
    public var variance: ReverseVariance
    /// The step of the process that the run begins with.
    public var firstStep: Int

    /// - Parameter firstStep: nil for the noisiest.
    public init(process: GaussianProcess, variance: ReverseVariance = .learnedRange, firstStep: Int? = nil) {
        self.process = process
        self.variance = variance
        self.firstStep = firstStep ?? process.stepCount - 1
    }

    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let t = firstStep - context.index
        let estimate = context.evaluate(x, context.from)
        var next = Latent.combine(
            (process.posteriorMeanClean[t], estimate.clean), (process.posteriorMeanNoisy[t], x))
        if t > 0 {
            let logVariance = process.logVariance(variance, range: estimate.variance, like: x, at: t)
            next.add(1, logVariance.zip(context.noise(0)) { exp(0.5 * $0) * $1 })
        }
        return StepResult(
            next: next, left: HistoryEntry(level: context.from, state: x, estimate: estimate))
    }
}
