import Diffusion
import Tensors
import Testing

@Suite struct PredictionTests {
    static let kinds: [Prediction] = [
        .noise, .clean, .velocity, .flow, .score, .pathVelocity,
        .preconditioned(Preconditioning(sigmaData: 0.7)),
    ]

    static let levels: [NoiseLevel] = [
        GaussianProcess(.linear).level(at: 3), GaussianProcess(.cosine).level(at: 500),
        ExplodingPath().level(sigma: 2), FlowPath().level(time: 0.3),
        Interpolant.generalizedVP.level(time: 0.6),
    ]

    @Test(arguments: kinds, levels)
    func `the target of every kind gives back the clean sample and the noise`(
        _ kind: Prediction, _ level: NoiseLevel
    ) {
        // A velocity rule belongs to its own family of levels.
        if kind == .velocity, abs(level.signal * level.signal + level.noise * level.noise - 1) > 1e-9 {
            return
        }
        if kind == .pathVelocity, level.signalRate == 0, level.noiseRate == 0 { return }
        let clean = latent([2, 3, 5, 3], seed: 1)
        let noise = latent([2, 3, 5, 3], seed: 2)
        let x = Latent.combine((level.signal, clean), (level.noise, noise))
        let (onClean, onNoise) = kind.targetCoefficients(at: level)
        let output = Latent.combine((onClean, clean), (onNoise, noise))
        #expect(maximumDifference(kind.clean(from: output, x: x, at: level), clean) < 1e-10)
        #expect(maximumDifference(kind.noise(from: output, x: x, at: level), noise) < 1e-10)
    }

    @Test(arguments: [0.01, 0.5, 20.0])
    func `preconditioning gives unit-variance input and target`(_ sigma: Double) {
        let edm = Preconditioning(sigmaData: 0.5)
        let c = edm.coefficients(sigma: sigma)
        #expect(abs(c.input * c.input * (sigma * sigma + 0.25) - 1) < 1e-12)
        // Variance of ((1 − c_skip)·y − c_skip·n)/c_out with var y = σ_d², var n = σ².
        let variance =
            ((1 - c.skip) * (1 - c.skip) * 0.25 + c.skip * c.skip * sigma * sigma) / (c.out * c.out)
        #expect(abs(variance - 1) < 1e-9)
        #expect(abs(edm.weight(sigma: sigma) * c.out * c.out - 1) < 1e-12)
    }

    @Test(arguments: Interpolant.allCases, [0.1, 0.5, 0.9])
    func `the rates of a path are the derivatives of its level`(_ path: Interpolant, _ t: Double) {
        let h = 1e-6
        let (before, here, after) = (path.level(time: t - h), path.level(time: t), path.level(time: t + h))
        #expect(abs((after.signal - before.signal) / (2 * h) - here.signalRate) < 1e-6)
        #expect(abs((after.noise - before.noise) / (2 * h) - here.noiseRate) < 1e-6)
    }

    @Test(arguments: [
        ScaledPath(ScaledPath.fitted(minimum: 0.01, maximum: 50), isScaled: true),
        ScaledPath(.varianceExploding, isScaled: false), ScaledPath(.linear, isScaled: true),
    ])
    func `EDM's paths invert and differentiate`(_ path: ScaledPath) {
        for t in [0.05, 0.4, 0.9] {
            let h = 1e-6
            let (before, here, after) = (
                path.level(time: t - h), path.level(time: t), path.level(time: t + h)
            )
            #expect(abs(path.time(sigma: path.sigma(time: t)) - t) < 1e-9)
            #expect(abs((after.signal - before.signal) / (2 * h) - here.signalRate) < 1e-4)
            #expect(abs((after.noise - before.noise) / (2 * h) - here.noiseRate) < 1e-4)
        }
    }
}
