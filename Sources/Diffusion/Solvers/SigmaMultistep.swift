import Foundation

/// DPM-Solver++ 2M as k-diffusion has it (`sample_dpmpp_2m`; arXiv 2211.01095): one network call per step.
public struct DPMSolver2M: Solver {
    public init() {}

    public var space: StateSpace { .exploding }
    public var memory: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (sigma, next) = (context.from.sigma, context.to.sigma)
        let estimate = context.evaluate(x, context.from)
        var clean = estimate.clean
        if let last = history.first, next > 0 {
            let r = log(last.level.sigma / sigma) / log(sigma / next)
            clean = .combine((1 + 0.5 / r, clean), (-0.5 / r, last.estimate.clean))
        }
        return StepResult(
            next: sigmaStep(x, clean, from: sigma, to: next),
            left: HistoryEntry(level: context.from, state: x, estimate: estimate))
    }
}

/// DPM-Solver++ 2M for the SDE (k-diffusion `sample_dpmpp_2m_sde`).
public struct DPMSolver2MSDE: Solver {
    public var eta: Double
    public var rule: MultistepRule

    public init(eta: Double = 1, rule: MultistepRule = .midpoint) {
        self.eta = eta
        self.rule = rule
    }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }
    public var memory: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (sigma, next) = (context.from.sigma, context.to.sigma)
        let estimate = context.evaluate(x, context.from)
        let left = HistoryEntry(level: context.from, state: x, estimate: estimate)
        guard next > 0 else { return StepResult(next: estimate.clean, left: left) }
        let h = log(sigma / next)
        let k = -expm1(-h * (1 + eta))
        var result = Latent.combine((next / sigma * exp(-h * eta), x), (k, estimate.clean))
        if let last = history.first {
            let r = log(last.level.sigma / sigma) / h
            let factor = rule == .midpoint ? k / 2 : 1 - k / (h * (1 + eta))
            result.add(factor / r, estimate.clean - last.estimate.clean)
        }
        addSDENoise(&result, context, h: h, eta: eta)
        return StepResult(next: result, left: left)
    }
}

/// DPM-Solver++ 3M for the SDE (k-diffusion `sample_dpmpp_3m_sde`).
public struct DPMSolver3MSDE: Solver {
    public var eta: Double

    public init(eta: Double = 1) { self.eta = eta }

    public var space: StateSpace { .exploding }
    public var drawsPerStep: Int { 1 }
    public var memory: Int { 2 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let (sigma, next) = (context.from.sigma, context.to.sigma)
        let estimate = context.evaluate(x, context.from)
        let left = HistoryEntry(level: context.from, state: x, estimate: estimate)
        guard next > 0 else { return StepResult(next: estimate.clean, left: left) }
        let h = log(sigma / next)
        let total = h * (1 + eta)
        var result = Latent.combine((exp(-total), x), (-expm1(-total), estimate.clean))
        let phi2 = expm1(-total) / total + 1
        if let last = history.first {
            let r0 = log(last.level.sigma / sigma) / h
            let first = (1 / r0) * (estimate.clean - last.estimate.clean)
            if history.count > 1 {
                let r1 = log(history[1].level.sigma / last.level.sigma) / h
                let second = (1 / r1) * (last.estimate.clean - history[1].estimate.clean)
                let change = first - second
                result.add(phi2, first)
                result.add(phi2 * r0 / (r0 + r1) - (phi2 / total - 0.5) / (r0 + r1), change)
            } else {
                result.add(phi2, first)
            }
        }
        addSDENoise(&result, context, h: h, eta: eta)
        return StepResult(next: result, left: left)
    }
}

/// How a second-order multistep method uses the last estimate.
public enum MultistepRule: String, Hashable, Sendable, Codable, CaseIterable {
    case midpoint
    case heun
}

private func addSDENoise(_ x: inout Latent, _ context: StepContext, h: Double, eta: Double) {
    guard eta > 0 else { return }
    x.add(context.to.sigma * (-expm1(-2 * eta * h)).squareRoot(), context.noise(0))
}

/// Linear multistep (Adams–Bashforth) in σ of up to fourth order (k-diffusion `sample_lms`).
public struct LinearMultistep: Solver {
    public var order: Int

    public init(order: Int = 4) { self.order = order }

    public var space: StateSpace { .exploding }
    public var memory: Int { max(order - 1, 0) }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        let estimate = context.evaluate(x, context.from)
        let left = HistoryEntry(level: context.from, state: x, estimate: estimate)
        let entries = [left] + history.prefix(max(order - 1, 0))
        let nodes = entries.map(\.level.sigma)
        var result = x
        for (j, entry) in entries.enumerated() {
            let c = Self.coefficient(j, nodes: nodes, from: context.from.sigma, to: context.to.sigma)
            // The slope (x − D)/σ of that step.
            result.add(c / entry.level.sigma, entry.state)
            result.add(-c / entry.level.sigma, entry.estimate.clean)
        }
        return StepResult(next: result, left: left)
    }

    /// ∫ of the j-th Lagrange polynomial on `nodes`: three Gauss points are exact up to degree 5.
    static func coefficient(_ j: Int, nodes: [Double], from: Double, to: Double) -> Double {
        let (middle, half) = ((from + to) / 2, (to - from) / 2)
        let points = [(-(0.6.squareRoot()), 5 / 9.0), (0, 8 / 9.0), (0.6.squareRoot(), 5 / 9.0)]
        return points.reduce(0) { sum, point in
            let tau = middle + half * point.0
            var product = point.1 * half
            for (k, node) in nodes.enumerated() where k != j { product *= (tau - node) / (nodes[j] - node) }
            return sum + product
        }
    }
}
