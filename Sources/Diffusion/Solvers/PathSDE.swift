/// Euler–Maruyama on SiT's reverse SDE (arXiv 2401.08740, equation 10): drift v + w·score and noise √(2w·dt),
/// with w = b ("sigma" form). The last step is the drift alone.
public struct PathSDE: Solver {
    /// The final step to t = 1.
    public enum LastStep: String, Hashable, Sendable, Codable, CaseIterable {
        /// x + drift·dt.
        case mean
        /// The estimate x̂₀ (Tweedie).
        case tweedie
        /// x + v·dt.
        case euler
    }

    public var path: any TimedPath
    /// N + 1 times; the last is that of the data.
    public var times: [Double]
    public var lastStep: LastStep

    public init(path: any TimedPath, times: [Double], lastStep: LastStep = .mean) {
        self.path = path
        self.times = times
        self.lastStep = lastStep
    }

    /// SiT's times: `count` − 1 steps up to 1 − `lastStepSize`, then the last one.
    public static func times(count: Int, lastStepSize: Double = 0.04) -> [Double] {
        evenlySpaced(0, 1 - lastStepSize, count) + [1]
    }

    public var grid: [NoiseLevel] { times.map(path.level(time:)) }
    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let t = times[context.index]
        let dt = times[context.index + 1] - t
        let level = path.level(time: t)
        let estimate = context.evaluate(x, level)
        let left = HistoryEntry(level: level, state: x, estimate: estimate)
        if context.isLast && lastStep == .tweedie { return StepResult(next: estimate.clean, left: left) }
        var next = x
        next.add(dt, estimate.velocity(at: level))
        if context.isLast && lastStep == .euler { return StepResult(next: next, left: left) }
        // w·score = −(w/b)·ε̂ with w = b; time may run either way.
        next.add(-abs(dt), estimate.noise)
        if !context.isLast { next.add((2 * level.noise * abs(dt)).squareRoot(), context.noise(0)) }
        return StepResult(next: next, left: left)
    }
}
