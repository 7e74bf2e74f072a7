import Foundation

/// How much each noise level counts in a regression loss.
public enum LossWeight: Hashable, Sendable {
    /// The plain mean square error of the network's own output.
    case uniform
    /// The mean square error of ε, whatever the network answers with.
    case noiseError
    /// min(SNR, γ) on the error of x₀ (arXiv 2303.09556); 1 where there is no signal at all.
    case minimumSNR(gamma: Double)
    /// k-diffusion's smooth version, (σσ_d)²/(σ² + σ_d²)² on the preconditioned loss.
    case softMinimumSNR(sigmaData: Double)
    /// s⁻² (SD3's "sigma_sqrt", as diffusers spells it).
    case inverseSquareTime
    /// 2/(π(1 − 2s + 2s²)) (SD3, equation 21).
    case cosmap
    /// SiT's "velocity" weight for a noise or score prediction: ((ȧ/a)b² − bḃ)²/b² on the error of ε.
    case pathVelocity
    /// SiT's likelihood weight: ((ȧ/a)b² − bḃ)/b² on the error of ε.
    case pathLikelihood

    /// The factor on the mean square error of an output of kind `prediction`.
    public func factor(at level: NoiseLevel, prediction: Prediction) -> Double {
        switch self {
        case .uniform: return 1
        case .noiseError: return noiseErrorPerOutputError(prediction, level)
        case .minimumSNR(let gamma):
            let snr = level.signalToNoise
            guard snr > 0 else { return 1 }
            return min(snr, gamma) * cleanErrorPerOutputError(prediction, level)
        case .softMinimumSNR(let sigmaData):
            let edm = Preconditioning(sigmaData: sigmaData)
            guard level.signal > 0 else { return 0 }
            let sigma = level.sigma
            return edm.softMinimumSNR(sigma: sigma) * edm.weight(sigma: sigma)
                * cleanErrorPerOutputError(prediction, level)
        case .inverseSquareTime: return 1 / (level.noise * level.noise)
        case .cosmap:
            let s = level.noise
            return 2 / (Double.pi * (1 - 2 * s + 2 * s * s))
        case .pathVelocity:
            let drift = driftVariance(level) / level.noise
            return drift * drift * noiseErrorPerOutputError(prediction, level)
        case .pathLikelihood:
            return driftVariance(level) / (level.noise * level.noise)
                * noiseErrorPerOutputError(prediction, level)
        }
    }

    /// (∂x₀/∂output)², which turns a weight on the error of x₀ into one on the error of the output.
    private func cleanErrorPerOutputError(_ prediction: Prediction, _ level: NoiseLevel) -> Double {
        let slope = prediction.cleanCoefficients(at: level).1
        return slope * slope
    }

    private func noiseErrorPerOutputError(_ prediction: Prediction, _ level: NoiseLevel) -> Double {
        let slope = prediction.noiseCoefficients(at: level).1
        return slope * slope
    }

    private func driftVariance(_ level: NoiseLevel) -> Double {
        level.signalRate / level.signal * level.noise * level.noise - level.noise * level.noiseRate
    }
}
