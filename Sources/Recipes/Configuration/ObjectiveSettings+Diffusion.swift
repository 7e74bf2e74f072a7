import Diffusion
import Layers

/// What the diffusion code is told by the settings.
extension ObjectiveSettings {
    public func makeObjective() -> any Objective {
        switch self {
        case .ddpm(let settings):
            HybridObjective(
                process: settings.process, prediction: settings.prediction.prediction,
                variance: settings.variance,
                loss: settings.loss, weight: LossWeight(minimumSNR: settings.minimumSNR))
        case .velocity(let settings):
            RegressionObjective.discrete(
                settings.process, prediction: .velocity, weight: LossWeight(minimumSNR: settings.minimumSNR))
        case .flow(let settings):
            RegressionObjective.flowMatching(
                sampling: settings.distribution, shift: settings.shift, timeScale: settings.timeScale)
        case .edm(let settings):
            RegressionObjective.edm(
                sigmaData: settings.sigmaData, logMean: settings.logMean, logDeviation: settings.logDeviation,
                timeScale: settings.timeScale)
        }
    }

    public var prediction: Prediction {
        switch self {
        case .ddpm(let settings): settings.prediction.prediction
        case .velocity: .velocity
        case .flow: .flow
        case .edm(let settings): .preconditioned(Preconditioning(sigmaData: settings.sigmaData))
        }
    }

    public var learnsVariance: Bool {
        if case .ddpm(let settings) = self { settings.variance.isLearned } else { false }
    }

    /// - Throws: `ConfigurationError` when a network with (or without) variance channels is to learn it.
    func requireVariance(learned learnSigma: Bool) throws {
        guard learnSigma != learnsVariance else { return }
        throw ConfigurationError(
            field: "model.learnSigma",
            demand: learnsVariance
                ? "true for an objective that learns the variance, found false"
                : "false for an objective that does not learn the variance, found true")
    }

    /// The discrete process; nil for continuous ones.
    public var process: GaussianProcess? {
        switch self {
        case .ddpm(let settings): settings.process
        case .velocity(let settings): settings.process
        case .flow, .edm: nil
        }
    }

    /// Every noise level, by σ.
    public var path: any NoisePath {
        switch self {
        case .ddpm(let settings): DiscreteSchedule(settings.process)
        case .velocity(let settings): DiscreteSchedule(settings.process)
        case .flow(let settings): FlowPath(timeScale: settings.timeScale)
        case .edm(let settings): ExplodingPath(timeScale: settings.timeScale)
        }
    }
}

extension DDPMSettings {
    var process: GaussianProcess { GaussianProcess(betas.schedule, stepCount: stepCount) }
}

extension DDPMSettings.Target {
    var prediction: Prediction {
        switch self {
        case .noise: .noise
        case .clean: .clean
        case .velocity: .velocity
        }
    }
}

extension VelocitySettings {
    var process: GaussianProcess {
        GaussianProcess(betas.schedule, stepCount: stepCount, zeroTerminalSNR: zeroTerminalSNR)
    }
}

extension LossWeight {
    fileprivate init(minimumSNR gamma: Double?) { self = gamma.map { .minimumSNR(gamma: $0) } ?? .uniform }
}
