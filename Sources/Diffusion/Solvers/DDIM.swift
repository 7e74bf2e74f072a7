/// x' = a'·x̂₀ + √(b'² − s²)·ε̂ + s·z (DDIM, arXiv 2010.02502), on any family of noise levels.
///
/// With η = 0 it is deterministic, and the same step as Euler's method in σ and, for rectified flow, in s.
/// Walking a grid upwards in noise inverts it.
public struct DDIM: Solver {
    /// η: 0 for deterministic, 1 for the noise of DDPM.
    public var eta: Double

    public init(eta: Double = 0) { self.eta = eta }

    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (from, to) = (context.from, context.to)
        let estimate = context.evaluate(x, from)
        let deviation = Self.deviation(from: from, to: to, eta: eta)
        let direction = max(to.noise * to.noise - deviation * deviation, 0).squareRoot()
        var next = Latent.combine((to.signal, estimate.clean), (direction, estimate.noise))
        if deviation > 0 { next.add(deviation, context.noise(0)) }
        return StepResult(next: next, left: HistoryEntry(level: from, state: x, estimate: estimate))
    }

    /// s = η·(b'/b)·√(1 − a²/a'²).
    static func deviation(from: NoiseLevel, to: NoiseLevel, eta: Double) -> Double {
        guard eta > 0, to.noise > 0, to.signal > from.signal else { return 0 }
        let ratio = from.signal / to.signal
        return eta * to.noise / from.noise * (1 - ratio * ratio).squareRoot()
    }
}
