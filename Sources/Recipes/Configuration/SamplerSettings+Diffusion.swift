import Diffusion
import Layers

/// A solver with the noise levels it walks: what settings and an objective come to.
public struct SamplingMethod: Sendable {
    public var solver: any Solver
    /// N + 1 levels, noisiest first.
    public var grid: [NoiseLevel]
    public var path: any NoisePath
    /// Factor on standard normals that makes the first state.
    public var startScale: Double
}

extension SamplerSettings {
    /// Joins solver, schedule and objective.
    /// - Throws: `ConfigurationError` when they do not go together.
    public func method(for objective: ObjectiveSettings) throws -> SamplingMethod {
        switch objective {
        case .ddpm(let settings): try discrete(objective, settings.process, variance: settings.variance)
        case .velocity(let settings): try discrete(objective, settings.process, variance: .fixedLarge)
        case .flow(let settings): try flow(settings)
        case .edm(let settings): try edm(settings)
        }
    }

    private func discrete(
        _ objective: ObjectiveSettings, _ process: GaussianProcess, variance: ReverseVariance
    ) throws -> SamplingMethod {
        let path = DiscreteSchedule(process)
        if solver == .ddpm {
            guard case .even? = spacing else {
                throw refusal("schedule", "native or evenly spaced timesteps for ddpm")
            }
            let respaced = process.respaced(to: try timesteps(of: process).reversed())
            return SamplingMethod(
                solver: DDPM(process: respaced, variance: variance), grid: respaced.samplingGrid, path: path,
                startScale: 1)
        }
        let grid: [NoiseLevel]
        if spacing != nil {
            let steps = try timesteps(of: process)
            // Without signal at the noisiest step, solvers that divide by it start at the largest finite σ.
            grid = steps.map { t in
                needsSignal ? path.level(sigma: path.sigmas[t], time: Double(t)) : process.level(at: t)
            }
        } else {
            grid = try sigmaLevels(path, default: path.minimumSigma...path.maximumSigma)
        }
        return SamplingMethod(solver: try makeSolver(), grid: grid + [.clean()], path: path, startScale: 1)
    }

    private func flow(_ settings: FlowSettings) throws -> SamplingMethod {
        let path = FlowPath(timeScale: settings.timeScale)
        let shift: Double?
        switch schedule {
        case .native: shift = settings.shift
        case .flow(let own): shift = own.shift
        case .karras, .exponential, .beta: shift = nil
        case .timesteps: throw refusal("schedule", "native, flow or a σ schedule for a flow model")
        }
        guard let shift else {
            let grid = try sigmaLevels(path, default: 0.001...999) + [path.level(time: 0)]
            return SamplingMethod(solver: try makeSolver(), grid: grid, path: path, startScale: grid[0].noise)
        }
        if let method = rungeKutta, churn == nil {
            let solver = RungeKutta(
                method, path: path, times: FlowSchedule.times(count: steps, shift: shift),
                eulerAtFinal: method != .euler)
            return SamplingMethod(solver: solver, grid: solver.grid, path: path, startScale: 1)
        }
        let times =
            needsSignal
            ? FlowSchedule.diffusersMultistepTimes(count: steps, shift: shift)
            : FlowSchedule.times(count: steps, shift: shift)
        let grid = times.map { path.level(time: $0) }
        return SamplingMethod(solver: try makeSolver(), grid: grid, path: path, startScale: grid[0].noise)
    }

    private func edm(_ settings: EDMSettings) throws -> SamplingMethod {
        let path = ExplodingPath(timeScale: settings.timeScale)
        let grid = try sigmaLevels(path, default: 0.002...80)
        return SamplingMethod(
            solver: try makeSolver(), grid: grid + [path.level(sigma: 0)], path: path,
            startScale: grid[0].noise)
    }

    /// Flow models walk in time instead of σ with these.
    private var rungeKutta: RungeKutta.Method? {
        switch solver {
        case .euler: .euler
        case .heun: .heun
        case .rk4: .rk4
        default: nil
        }
    }

    /// Whether the solver divides by the signal of the first level.
    private var needsSignal: Bool { solver != .ddim && solver != .ddpm }

    private var spacing: ScheduleSettings.TimestepSettings.Spacing? {
        switch schedule {
        case .native: .even
        case .timesteps(let settings): settings.spacing
        default: nil
        }
    }

    /// Descending timesteps.
    private func timesteps(of process: GaussianProcess) throws -> [Int] {
        let total = process.stepCount
        guard steps <= total, solver != .ddpm || steps >= 2 || total < 2 else {
            throw refusal("steps", "in 2…\(total) for this process, found \(steps)")
        }
        switch spacing {
        case .leading?: return TimestepSpacing.leading.timesteps(steps, of: total).map { Int($0) }
        case .trailing?: return TimestepSpacing.trailing.timesteps(steps, of: total).map { Int($0) }
        case .linspace?: return TimestepSpacing.linspace.timesteps(steps, of: total).map { Int($0) }
        case .even?, nil: return try Respacing.steps(String(steps), of: total).reversed()
        }
    }

    private func sigmaLevels(_ path: any NoisePath, default range: ClosedRange<Double>) throws -> [NoiseLevel]
    {
        func bounds(_ low: Double?, _ high: Double?) throws -> (Double, Double) {
            let (low, high) = (low ?? range.lowerBound, high ?? range.upperBound)
            guard low < high else {
                throw refusal("schedule.sigmaMin", "below sigmaMax (\(high)), found \(low)")
            }
            return (low, high)
        }
        let sigmas: SigmaSchedule
        switch schedule {
        case .native: sigmas = .karras(min: range.lowerBound, max: range.upperBound, rho: 7)
        case .karras(let own):
            let (low, high) = try bounds(own.sigmaMin, own.sigmaMax)
            sigmas = .karras(min: low, max: high, rho: own.rho)
        case .exponential(let own):
            let (low, high) = try bounds(own.sigmaMin, own.sigmaMax)
            sigmas = .exponential(min: low, max: high)
        case .beta(let own):
            let (low, high) = try bounds(own.sigmaMin, own.sigmaMax)
            sigmas = .beta(min: low, max: high, alpha: own.alpha, beta: own.beta)
        case .timesteps, .flow:
            throw refusal(
                "schedule", "native or a σ schedule for this objective, found \(schedule.kind.rawValue)")
        }
        return sigmas.sigmas(count: steps).map { path.level(sigma: $0) }
    }

    private func makeSolver() throws -> any Solver {
        let churn = churn?.churn ?? Churn()
        switch solver {
        case .ddpm: throw refusal("solver", "another than ddpm for a continuous process")
        case .rk4: throw refusal("solver", "another than rk4, which needs a flow model and a native schedule")
        case .ddim: return DDIM(eta: eta ?? 0)
        case .euler: return Euler(churn: churn)
        case .heun: return Heun(churn: churn)
        case .dpm2: return DPM2(churn: churn)
        case .eulerAncestral: return EulerAncestral(eta: eta ?? 1)
        case .dpmSolver: return DPMSolver(order: order ?? 2)
        case .dpmSolverStochastic: return DPMSolver(order: order ?? 2, isStochastic: true)
        case .dpmSolver2M: return DPMSolver2M()
        case .dpmSolver2MSDE: return DPMSolver2MSDE(eta: eta ?? 1)
        case .dpmSolver3MSDE: return DPMSolver3MSDE(eta: eta ?? 1)
        case .dpmSolver2SAncestral: return DPMSolver2SAncestral(eta: eta ?? 1)
        case .dpmSolverSDE: return DPMSolverSDE(eta: eta ?? 1)
        case .linearMultistep: return LinearMultistep(order: order ?? 4)
        case .unipc: return UniPC(order: order ?? 2)
        }
    }

    private func refusal(_ field: String, _ demand: String) -> ConfigurationError {
        ConfigurationError(field: field, demand: demand)
    }
}
