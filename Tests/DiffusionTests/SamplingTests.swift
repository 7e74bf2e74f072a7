import Diffusion
import Foundation
import Tensors
import Testing

@Suite struct SamplingTests {
    private func run(_ guidance: Guidance?, steps: Int = 8, model: GaussianModel) -> SamplingRun {
        SamplingRun(
            GuidedModel(model, prediction: model.prediction, labels: [0, 2], guidance: guidance),
            solver: DPMSolver2M(), grid: sigmaGrid(steps), path: ExplodingPath(),
            noise: SeededNoise(seeds: [1, 2]), start: latent([2, 3, 5, 4], bound: 10))
    }

    @Test func `a run can be watched, stopped and begun again`() {
        let run = run(nil, model: GaussianModel())
        let all = Array(run)
        #expect(all.map { $0.index } == Array(0..<8) && all.allSatisfy { $0.count == 8 })
        #expect(all.last?.level.noise == 0)
        let first = Array(run.prefix(3))
        #expect(zip(first, all).allSatisfy { $0.state == $1.state && $0.clean == $1.clean })
        #expect(run.finished() == all[7].state)
    }

    @Test func `a scale of 1 is no guidance`() {
        let model = GaussianModel(labelShift: 0.2)
        #expect(run(Guidance(scale: 1), model: model).finished() == run(nil, model: model).finished())
    }

    @Test func `guidance pushes away from the unconditional answer`() {
        let model = GaussianModel(labelShift: 0.2)
        let plain = run(nil, model: model).finished()
        let guided = run(Guidance(scale: 3), model: model).finished()
        // Labels 0 and 2 lie above the unconditional −1.
        let size = plain.sampleSize
        for n in 0..<2 {
            let range = n * size..<(n + 1) * size
            #expect(guided.values[range].reduce(0, +) > plain.values[range].reduce(0, +) + 0.1 * Double(size))
        }
    }

    @Test func `guidance of three channels leaves the others and the variance as they are`() {
        let main = latent([2, 2, 2, 8], seed: 1)
        let reference = latent([2, 2, 2, 8], seed: 2)
        let guided = Guidance(scale: 2.5, channels: 3).combine(
            main: main, reference: reference, dataChannels: 4)
        for i in main.values.indices {
            let expected =
                i % 8 < 3
                ? reference.values[i] + 2.5 * (main.values[i] - reference.values[i]) : main.values[i]
            #expect(abs(guided.values[i] - expected) < 1e-14)
        }
    }

    @Test func `a full rescale restores the contrast of the plain prediction`() {
        let main = latent([3, 4, 5, 2], seed: 1)
        let reference = latent([3, 4, 5, 2], seed: 2)
        let guided = Guidance(scale: 6, rescale: 1).combine(main: main, reference: reference, dataChannels: 2)
        for n in 0..<3 {
            func deviation(_ x: Latent) -> Double {
                let values = x.samples(in: n..<n + 1).values
                let mean = values.reduce(0, +) / 40
                return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 39).squareRoot()
            }
            #expect(abs(deviation(guided) / deviation(main) - 1) < 1e-12)
        }
    }

    @Test func `an interval guides above its lower and up to its upper end`() {
        let guidance = Guidance(scale: 2, sigmaInterval: (0.3, 3))
        let cases: [(Double, Bool)] = [(0.3, false), (0.31, true), (3, true), (3.1, false)]
        for (sigma, expected) in cases {
            #expect(
                guidance.applies(at: ExplodingPath().level(sigma: sigma), step: 0, of: 1) == expected,
                "σ \(sigma)")
        }
        let steps = Guidance(scale: 2, stepInterval: (0.2, 0.8))
        let applied = (0..<10).filter { steps.applies(at: .clean(), step: $0, of: 10) }
        #expect(applied == Array(2..<8))
    }

    @Test func `autoguidance asks the weak model with the same labels`() {
        let model = GaussianModel(labelShift: 0.2)
        let same = Guidance(reference: .weakModel(model), scale: 4)
        let plain = run(nil, model: model).finished()
        #expect(maximumDifference(run(same, model: model).finished(), plain) < 1e-12)
    }

    @Test func `dynamic thresholding scales each sample by its own quantile`() {
        var x = latent([2, 4, 4, 1], bound: 0.5)
        for i in 16..<32 { x.values[i] *= 10 }
        let clipped = Clipping.dynamic(quantile: 0.9, maximum: 3)(x)
        #expect(clipped.samples(in: 0..<1) == x.samples(in: 0..<1))
        #expect(clipped.values.allSatisfy { abs($0) <= 1 })
        #expect(Clipping.clamp(1)(x).values.allSatisfy { abs($0) <= 1 })
    }

    @Test func `a network is asked in float32 at the level's time`() {
        let x = latent([2, 2, 2, 1])
        let level = ExplodingPath(timeScale: 1000).level(sigma: 2)
        let prediction = Prediction.preconditioned(Preconditioning(sigmaData: 0.5))
        let output = NetworkModel(EchoNetwork(), prediction: prediction).output(
            x, at: level, labels: [1, nil])
        // The echo is input + time + label.
        let scale = 1 / (4 + 0.25).squareRoot()
        for i in x.values.indices {
            let expected = scale * x.values[i] + 250 * log(2.0) + (i < 4 ? 1 : -1)
            #expect(abs(output.values[i] - expected) < 1e-4)
        }
    }
}

@Suite struct ArticleTests {
    @Test func `the article's example runs`() {
        let network = EchoNetwork()
        let images = latent([2, 32, 32, 3]).tensor
        let objective = RegressionObjective.flowMatching()
        let draw = TrainingDraw(seed: 0, step: 1, samples: 0..<2, sampleShape: [32, 32, 3])
        let example = objective.example(clean: images, draw: draw)
        let output = network.predict(example.input, time: example.time, labels: [3, nil])
        let loss = objective.evaluate(output: output, example: example)
        #expect(loss.mean > 0 && loss.gradient.shape == images.shape)

        let path = FlowPath()
        let noise = SeededNoise(seeds: [7, 8])
        let model = GuidedModel(
            NetworkModel(network, prediction: .flow), prediction: .flow, labels: [3, 5],
            guidance: Guidance(scale: 2))
        let grid = FlowSchedule.times(count: 20).map { path.level(time: $0) }
        let run = SamplingRun(
            model, solver: DDIM(), grid: grid, path: path, noise: noise,
            start: noise.latent(draw: 0, shape: [2, 32, 32, 3]))
        #expect(run.reduce(0) { count, _ in count + 1 } == 20)
    }
}
