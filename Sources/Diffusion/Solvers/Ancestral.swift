import Foundation

/// A step to σ' split into a deterministic part down to `down` and fresh noise `up`, with
/// down² + up² = σ'².
func ancestralSplit(from sigma: Double, to next: Double, eta: Double) -> (down: Double, up: Double) {
    guard eta > 0, next > 0 else { return (next, 0) }
    let variance = next * next * (sigma * sigma - next * next) / (sigma * sigma)
    let up = min(next, eta * max(variance, 0).squareRoot())
    return ((next * next - up * up).squareRoot(), up)
}

/// Euler's method with fresh noise in every step (k-diffusion `sample_euler_ancestral`).
public struct EulerAncestral: Solver {
    public var eta: Double

    public init(eta: Double = 1) { self.eta = eta }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (sigma, next) = (context.from.sigma, context.to.sigma)
        let (down, up) = ancestralSplit(from: sigma, to: next, eta: eta)
        let estimate = context.evaluate(x, context.from)
        var result = sigmaStep(x, estimate.clean, from: sigma, to: down)
        if up > 0 { result.add(up, context.noise(0)) }
        return StepResult(
            next: result, left: HistoryEntry(level: context.from, state: x, estimate: estimate))
    }
}

/// DPM-Solver++ 2S with fresh noise (k-diffusion `sample_dpmpp_2s_ancestral`): a midpoint step in log σ.
public struct DPMSolver2SAncestral: Solver {
    public var eta: Double

    public init(eta: Double = 1) { self.eta = eta }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (sigma, next) = (context.from.sigma, context.to.sigma)
        let (down, up) = ancestralSplit(from: sigma, to: next, eta: eta)
        let estimate = context.evaluate(x, context.from)
        let left = HistoryEntry(level: context.from, state: x, estimate: estimate)
        guard down > 0 else { return StepResult(next: estimate.clean, left: left) }
        let middle = (sigma * down).squareRoot()
        let halfway = sigmaStep(x, estimate.clean, from: sigma, to: middle)
        let second = context.evaluate(halfway, context.path.level(sigma: middle)).clean
        var result = sigmaStep(x, second, from: sigma, to: down)
        if up > 0 { result.add(up, context.noise(0)) }
        return StepResult(next: result, left: left)
    }
}

/// DPM-Solver++ for the SDE with a stop halfway (k-diffusion `sample_dpmpp_sde`): two network calls and two
/// draws per step.
public struct DPMSolverSDE: Solver {
    public var eta: Double
    /// Where the stop is, as a fraction of the step in log σ.
    public var ratio: Double

    public init(eta: Double = 1, ratio: Double = 0.5) {
        self.eta = eta
        self.ratio = ratio
    }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 2 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (sigma, next) = (context.from.sigma, context.to.sigma)
        let estimate = context.evaluate(x, context.from)
        let left = HistoryEntry(level: context.from, state: x, estimate: estimate)
        guard next > 0 else { return StepResult(next: estimate.clean, left: left) }

        let middle = exp((1 - ratio) * log(sigma) + ratio * log(next))
        let first = ancestralSplit(from: sigma, to: middle, eta: eta)
        var halfway = sigmaStep(x, estimate.clean, from: sigma, to: first.down)
        if first.up > 0 { halfway.add(first.up, context.noise(0)) }
        let second = context.evaluate(halfway, context.path.level(sigma: middle)).clean

        let split = ancestralSplit(from: sigma, to: next, eta: eta)
        let share = 1 / (2 * ratio)
        let mixed = Latent.combine((1 - share, estimate.clean), (share, second))
        var result = sigmaStep(x, mixed, from: sigma, to: split.down)
        if split.up > 0 { result.add(split.up, context.noise(1)) }
        return StepResult(next: result, left: left)
    }
}
