/// Euler's method on dx/dσ, with optional churn (EDM, arXiv 2206.00364; k-diffusion `sample_euler`).
public struct Euler: Solver {
    public var churn: Churn

    public init(churn: Churn = Churn()) { self.churn = churn }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (raised, level) = churn.apply(x, context)
        let estimate = context.evaluate(raised, level)
        return StepResult(
            next: sigmaStep(raised, estimate.clean, from: level.sigma, to: context.to.sigma),
            left: HistoryEntry(level: level, state: raised, estimate: estimate))
    }
}

/// Heun's second-order method with optional churn (EDM, Algorithm 2): two network calls per step, one in
/// the last.
public struct Heun: Solver {
    public var churn: Churn

    public init(churn: Churn = Churn()) { self.churn = churn }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (raised, level) = churn.apply(x, context)
        let (sigma, next) = (level.sigma, context.to.sigma)
        let estimate = context.evaluate(raised, level)
        let left = HistoryEntry(level: level, state: raised, estimate: estimate)
        let predicted = sigmaStep(raised, estimate.clean, from: sigma, to: next)
        guard next > 0 else { return StepResult(next: predicted, left: left) }
        let second = context.evaluate(predicted, context.to).clean
        let half = (next - sigma) / 2
        // Half of each slope, (x − D)/σ at both ends.
        return StepResult(
            next: .combine(
                (1 + half / sigma, raised), (-half / sigma, estimate.clean), (half / next, predicted),
                (-half / next, second)), left: left)
    }
}

/// The midpoint method in log σ (k-diffusion `sample_dpm_2`; Karras' variant of DPM-Solver-2).
public struct DPM2: Solver {
    public var churn: Churn

    public init(churn: Churn = Churn()) { self.churn = churn }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (raised, level) = churn.apply(x, context)
        let (sigma, next) = (level.sigma, context.to.sigma)
        let estimate = context.evaluate(raised, level)
        let left = HistoryEntry(level: level, state: raised, estimate: estimate)
        guard next > 0 else {
            return StepResult(next: sigmaStep(raised, estimate.clean, from: sigma, to: next), left: left)
        }
        let middle = (sigma * next).squareRoot()
        let halfway = sigmaStep(raised, estimate.clean, from: sigma, to: middle)
        let second = context.evaluate(halfway, context.path.level(sigma: middle)).clean
        let slope = (next - sigma) / middle
        return StepResult(next: .combine((1, raised), (slope, halfway), (-slope, second)), left: left)
    }
}

/// x moved along its slope (x − D)/σ from one σ to another.
func sigmaStep(_ x: Latent, _ clean: Latent, from sigma: Double, to next: Double) -> Latent {
    .combine((next / sigma, x), (1 - next / sigma, clean))
}
