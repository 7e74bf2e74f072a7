import Foundation

/// DPM-Solver++ of order 1 to 3 in λ = ln(a/b), for any family of noise levels (arXiv 2211.01095; the form of
/// diffusers' `DPMSolverMultistepScheduler`).
public struct DPMSolver: Solver {
    /// 1…3.
    public var order: Int
    public var rule: MultistepRule
    /// Solves the SDE instead of the ODE, with fresh noise in every step.
    public var isStochastic: Bool
    /// Takes the last step with order 1 whatever the number of steps.
    public var eulerAtFinal: Bool
    /// Lowers the order of the last two steps of runs shorter than 15.
    public var lowersFinalOrder: Bool

    public init(
        order: Int = 2, rule: MultistepRule = .midpoint, isStochastic: Bool = false,
        eulerAtFinal: Bool = false, lowersFinalOrder: Bool = true
    ) {
        self.order = order
        self.rule = rule
        self.isStochastic = isStochastic
        self.eulerAtFinal = eulerAtFinal
        self.lowersFinalOrder = lowersFinalOrder
    }

    public var drawsPerStep: Int { isStochastic ? 1 : 0 }
    public var memory: Int { max(order - 1, 0) }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (from, to) = (context.from, context.to)
        let estimate = context.evaluate(x, from)
        let h = to.lambda - from.lambda
        // The bracketed factors of the SDE are those of the ODE with twice the step.
        let size = isStochastic ? 2 * h : h
        let decay = -expm1(-size)
        var next = Latent.combine(
            (to.noise / from.noise * (isStochastic ? exp(-h) : 1), x), (to.signal * decay, estimate.clean))

        let order = stepOrder(context, available: history.count + 1)
        if order >= 2 {
            let r0 = (from.lambda - history[0].level.lambda) / h
            let first = (1 / r0) * (estimate.clean - history[0].estimate.clean)
            let heun = to.signal * (1 - decay / size)
            if order == 2 {
                next.add(rule == .midpoint ? to.signal * decay / 2 : heun, first)
            } else {
                let r1 = (history[0].level.lambda - history[1].level.lambda) / h
                let second = (1 / r1) * (history[0].estimate.clean - history[1].estimate.clean)
                let curvature = to.signal * ((size - decay) / (size * size) - 0.5)
                next.add(heun, first)
                next.add((heun * r0 - curvature) / (r0 + r1), first - second)
            }
        }
        if isStochastic && to.noise > 0 {
            next.add(to.noise * (-expm1(-2 * h)).squareRoot(), context.noise(0))
        }
        return StepResult(next: next, left: HistoryEntry(level: from, state: x, estimate: estimate))
    }

    private func stepOrder(_ context: StepContext, available: Int) -> Int {
        let isShort = lowersFinalOrder && context.count < 15
        if context.isLast && (eulerAtFinal || isShort || context.to.noise == 0) { return 1 }
        let highest = min(order, available)
        return isShort && context.index == context.count - 2 ? min(highest, 2) : highest
    }
}
