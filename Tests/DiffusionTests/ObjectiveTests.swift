import Diffusion
import Foundation
import Tensors
import Testing

@Suite struct ObjectiveTests {
    static let regressions: [RegressionObjective] = [
        .flowMatching(), .flowMatching(sampling: .mode(scale: 1.29), shift: 3, weight: .cosmap),
        .flowMatching(sampling: .uniform, weight: .minimumSNR(gamma: 5)), .edm(),
        .edm(weight: .softMinimumSNR(sigmaData: 0.5)),
        .discrete(GaussianProcess(.linear), prediction: .velocity, weight: .minimumSNR(gamma: 5)),
        .discrete(GaussianProcess(.cosine), prediction: .clean),
        RegressionObjective(
            levels: .interpolant(.generalizedVP, bounds: 0.001...0.999), prediction: .score,
            weight: .pathLikelihood),
    ]

    static let hybrids: [HybridObjective] = HybridObjective.LossKind.allCases.flatMap { loss in
        [ReverseVariance.learnedRange, .fixedLarge].map { variance in
            HybridObjective(process: GaussianProcess(.linear), variance: variance, loss: loss)
        }
    }

    /// Draws that visit an awkward level among ordinary ones.
    static func draw(_ shape: Shape) -> TrainingDraw {
        TrainingDraw(
            noise: RandomStream(seed: 5).normals(shape), uniform: [0.1, 0.0005, 0.93],
            normal: [0.2, -1.5, 1.1])
    }

    /// Compares the gradient with central differences of the weighted losses, at a few elements of each sample.
    static func expectDerivative(
        _ objective: any Objective, _ example: TrainingExample, output: Tensor,
        detachedMean: Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let weights = [0.7, -1.3, 2]
        let gradient = objective.evaluate(output: output, example: example, weights: weights).gradient
        let channels = example.clean.shape.channels
        let base = output.scalars
        let typical = Latent(gradient).rootMeanSquare
        for index in stride(from: 0, to: base.count, by: 7) {
            // The bound does not train the mean in the hybrid loss, though its value depends on it.
            if detachedMean, index % output.shape.channels < channels { continue }
            func total(_ step: Float) -> Double {
                var moved = base
                moved[index] += step
                let losses = objective.evaluate(
                    output: Tensor(shape: output.shape, scalars: moved), example: example, weights: weights
                ).losses
                return zip(losses, weights).reduce(0) { $0 + $1.0 * $1.1 }
            }
            let step: Float = 1e-3
            let width = Double((base[index] + step) - (base[index] - step))
            let numeric = (total(step) - total(-step)) / width
            let found = Double(gradient.scalars[index])
            #expect(
                abs(numeric - found) <= 2e-3 * (abs(numeric) + typical), "element \(index)",
                sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: regressions)
    func `a regression's gradient is its derivative`(_ objective: RegressionObjective) {
        let shape: Shape = [3, 2, 3, 3]
        let clean = latent(shape, seed: 3).tensor
        let example = objective.example(clean: clean, draw: Self.draw(shape))
        Self.expectDerivative(
            objective, example, output: latent(shape, seed: 4).tensor, detachedMean: false)
    }

    @Test(arguments: hybrids)
    func `a hybrid loss' gradient is its derivative where nothing is detached`(_ objective: HybridObjective) {
        let shape: Shape = [3, 2, 3, 3]
        let clean = latent(shape, seed: 3).tensor
        // The decoder's step is only smooth where the model is close, so its ε̂ is the noise plus a little.
        let example = objective.example(
            clean: clean, noise: RandomStream(seed: 5).normals(shape), steps: [500, 0, 930])
        let close = Latent(example.noise) + latent(shape, seed: 9, bound: 0.05)
        let output = objective.learnsVariance ? close.joiningChannels(latent(shape, seed: 10)) : close
        let isHybrid = objective.loss == .meanSquare || objective.loss == .rescaledMeanSquare
        Self.expectDerivative(
            objective, example, output: output.tensor,
            detachedMean: isHybrid && objective.learnsVariance)
    }

    @Test func `the hybrid loss trains the mean by the square error alone`() {
        let shape: Shape = [3, 2, 3, 3]
        let objective = HybridObjective(process: GaussianProcess(.linear))
        let example = objective.example(clean: latent(shape, seed: 3).tensor, draw: Self.draw(shape))
        let mean = latent(shape, seed: 4)
        let output = mean.joiningChannels(latent(shape, seed: 6))
        let gradient = Latent(objective.evaluate(output: output.tensor, example: example).gradient)
        let plain = HybridObjective(process: objective.process, variance: .fixedLarge)
        let expected = plain.evaluate(output: mean.tensor, example: example).gradient
        #expect(maximumDifference(gradient.channels(in: 0..<3), Latent(expected)) == 0)
    }

    @Test(arguments: regressions)
    func `the exact target costs nothing`(_ objective: RegressionObjective) {
        let shape: Shape = [3, 4, 2, 1]
        let example = objective.example(clean: latent(shape, seed: 3).tensor, draw: Self.draw(shape))
        var target = Latent(example.clean)
        let (clean, noise) = (Latent(example.clean), Latent(example.noise))
        for (n, level) in example.levels.enumerated() {
            let (onClean, onNoise) = objective.prediction.targetCoefficients(at: level)
            for i in n * target.sampleSize..<(n + 1) * target.sampleSize {
                target.values[i] = onClean * clean.values[i] + onNoise * noise.values[i]
            }
        }
        let evaluation = objective.evaluate(output: target.tensor, example: example)
        #expect(evaluation.mean < 1e-8)
    }

    @Test func `draws depend on step and sample, not on how the batch is split`() {
        let whole = TrainingDraw(seed: 7, step: 3, samples: 0..<5, sampleShape: [3, 5, 3])
        let parts = [0..<2, 2..<5].map {
            TrainingDraw(seed: 7, step: 3, samples: $0, sampleShape: [3, 5, 3])
        }
        #expect(parts.flatMap { $0.uniform } == whole.uniform)
        #expect(parts.flatMap { $0.normal } == whole.normal)
        #expect(parts.flatMap { $0.noise.scalars } == whole.noise.scalars)
        let next = TrainingDraw(seed: 7, step: 4, samples: 0..<5, sampleShape: [3, 5, 3])
        #expect(next.uniform != whole.uniform && next.noise.scalars != whole.noise.scalars)
    }

    @Test func `level draws have the distribution they name`() {
        let draw = TrainingDraw(seed: 1, step: 0, samples: 0..<20_000, sampleShape: [1])
        let times = zip(draw.uniform, draw.normal).map {
            FlowTimeSampling.logitNormal(mean: 0.5, deviation: 1).time(uniform: $0, normal: $1)
        }
        // The median of a logit-normal is the sigmoid of its mean.
        let share = Double(times.count { $0 < 1 / (1 + exp(-0.5)) }) / 20_000
        #expect(abs(share - 0.5) < 0.015)
        let steps = draw.uniform.map {
            LevelSampling.discrete(GaussianProcess(.linear, stepCount: 10)).level(uniform: $0, normal: 0).step
        }
        let counts = (0..<10).map { step in steps.count { $0 == step } }
        #expect(counts.allSatisfy { abs($0 - 2000) < 200 })
    }

    @Test func `the bound of a perfect model is the entropy of the data`() {
        let process = GaussianProcess(.linear)
        let bound = VariationalBound(process: process, clipping: .none)
        let shape: Shape = [4, 16, 16, 1]
        let clean = 0.3 * SeededNoise(seeds: [1, 2, 3, 4]).latent(draw: 0, shape: shape)
        let noise = SeededNoise(seeds: [5, 6, 7, 8])
        let found = bound.evaluate(
            clean: clean, labels: [nil, nil, nil, nil], model: PerfectModel(process: process, deviation: 0.3)
        ) { noise.latent(draw: $0 + 1, shape: shape) }
        // An 8-bit value has bins of width 2/255: entropy ½·log2(2πe·s²) − log2(2/255).
        let entropy = 0.5 * log2(2 * Double.pi * exp(1) * 0.09) - log2(2 / 255.0)
        let mean = found.total.reduce(0, +) / 4
        #expect(abs(mean - entropy) < 0.1, "\(mean) bits, the entropy is \(entropy)")
    }
}

/// Knows the mean and the variance of every reverse step for data N(0, deviation²).
private struct PerfectModel: LatentModel {
    let process: GaussianProcess
    let deviation: Double

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let model = GaussianModel(mean: 0, deviation: deviation, prediction: .noise)
        let t = Int(level.time)
        let (a, b, s) = (level.signal, level.noise, deviation)
        let spread = s * s * b * b / (a * a * s * s + b * b)
        let c = process.posteriorMeanClean[t]
        let wanted = log(process.posteriorVariance[t] + c * c * spread)
        let lower = process.posteriorLogVarianceClipped[t]
        let fraction = (wanted - lower) / (log(process.betas[t]) - lower)
        return model.output(x, at: level, labels: labels)
            .joiningChannels(Latent(repeating: 2 * fraction - 1, shape: x.shape))
    }
}
