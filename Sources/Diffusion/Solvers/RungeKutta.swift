/// A fixed-step explicit Runge–Kutta method on dx/dt = ȧ·x̂₀ + ḃ·ε̂ along a path with a time of its own: the
/// probability-flow ODE of SiT (arXiv 2401.08740) and of EDM's generalised sampler.
public struct RungeKutta: Solver {
    public enum Method: String, Hashable, Sendable, Codable, CaseIterable {
        case euler
        /// Heun's trapezoid, second order.
        case heun
        /// Kutta's 3/8 rule, fourth order (the "rk4" of torchdiffeq).
        case rk4

        /// Rows of the Butcher tableau, then its weights; nodes are the rows' sums.
        var tableau: (rows: [[Double]], weights: [Double]) {
            switch self {
            case .euler: ([[]], [1])
            case .heun: ([[], [1]], [0.5, 0.5])
            case .rk4: ([[], [1 / 3.0], [-1 / 3.0, 1], [1, -1, 1]], [0.125, 0.375, 0.375, 0.125])
            }
        }
    }

    public var method: Method
    public var path: any TimedPath
    /// N + 1 times, in the path's unit.
    public var times: [Double]
    /// Takes the last step with Euler's method, for models that cannot be asked about a noiseless sample.
    public var eulerAtFinal: Bool

    public init(_ method: Method, path: any TimedPath, times: [Double], eulerAtFinal: Bool = false) {
        self.method = method
        self.path = path
        self.times = times
        self.eulerAtFinal = eulerAtFinal
    }

    /// The levels a run with this solver visits.
    public var grid: [NoiseLevel] { times.map(path.level(time:)) }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let method = eulerAtFinal && context.isLast ? .euler : self.method
        let (t, dt) = (times[context.index], times[context.index + 1] - times[context.index])
        let (rows, weights) = method.tableau
        var slopes: [Latent] = []
        var first: Estimate?
        for row in rows {
            var stage = x
            for (weight, slope) in zip(row, slopes) { stage.add(dt * weight, slope) }
            let level = path.level(time: t + dt * row.reduce(0, +))
            let estimate = context.evaluate(stage, level)
            slopes.append(estimate.velocity(at: level))
            first = first ?? estimate
        }
        var next = x
        for (weight, slope) in zip(weights, slopes) { next.add(dt * weight, slope) }
        let estimate = first ?? context.evaluate(x, context.from)
        return StepResult(
            next: next, left: HistoryEntry(level: context.from, state: x, estimate: estimate))
    }
}

extension Estimate {
    /// dx/dt along the path: ȧ·x̂₀ + ḃ·ε̂.
    func velocity(at level: NoiseLevel) -> Latent {
        .combine((level.signalRate, clean), (level.noiseRate, noise))
    }
}
