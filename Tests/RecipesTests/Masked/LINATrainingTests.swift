import Backbones
import Layers
import Tensors
import Testing
import Training

@testable import Recipes

@Suite struct LINATrainingTests {
    private func configuration(_ mixer: LINAMixer) -> LINAConfiguration {
        var configuration = LINAConfiguration(hiddenSize: 16, heads: 2)
        (configuration.inputChannels, configuration.height, configuration.width) = (2, 4, 4)
        (configuration.conditionHeight, configuration.conditionWidth) = (2, 2)
        (configuration.conditionDepth, configuration.depth, configuration.headDepth) = (1, 2, 2)
        (configuration.classCount, configuration.mixer) = (2, mixer)
        return configuration
    }

    /// Class 0 is bright on the left, class 1 on the right.
    private func batch(_ count: Int) -> ImageBatch {
        let labels = (0..<count).map { $0 % 2 }
        let scalars = labels.flatMap { label in
            (0..<16).flatMap { pixel -> [Float] in (pixel % 4 < 2) == (label == 0) ? [1, 0.5] : [-1, -0.5] }
        }
        return ImageBatch(
            images: Tensor(shape: [count, 4, 4, 2], scalars: scalars), labels: labels,
            indices: Array(0..<count))
    }

    private func train(_ store: ParameterStore, _ model: LINA, steps: Int, rate: Double) throws -> [Double] {
        var settings = OptimizerSettings()
        (settings.learningRate, settings.beta2, settings.weightDecay) = (rate, 0.95, 0.02)
        let trainer = Trainer(store, settings: settings, totalSteps: steps)
        let task = MaskedTask(model: model, seed: 1)
        return try (0..<steps).map { step in
            try trainer.step { _ in (task.evaluate(batch(8), step: step + 1), 8) }.loss
        }
    }

    @Test func `a tiny model learns two classes and draws them`() throws {
        let store = ParameterStore(.initialized(seed: 1), isTracked: true)
        let model = LINA(store.scope, configuration(.lina))
        let losses = try train(store, model, steps: 400, rate: 5e-3)
        let (begin, end) = (losses.prefix(20).reduce(0, +) / 20, losses.suffix(20).reduce(0, +) / 20)
        #expect(end < begin / 3, "\(begin) → \(end)")

        var settings = SamplerSettings()
        (settings.steps, settings.masked) = (10, .defaults)
        settings.masked?.steps = 6
        let sampler = try MaskedModel(model).imageSampler(settings, objective: .flow(.defaults))
        let items = [0, 1].map { GenerationPlan.Item(seed: UInt64($0 + 1), label: $0, className: "") }
        let images = try #require(sampler.samples(items, size: ImageSize(4)) { _ in true })
        let truth = batch(2).images.scalars
        let wrong = zip(images.scalars, truth).count { $0 * $1 <= 0 }
        #expect(wrong <= 3, "\(wrong) of \(truth.count) scalars have the wrong sign")
    }

    @Test(arguments: LINAMixer.allCases) func `learning far too fast gives no value that is not finite`(
        _ mixer: LINAMixer
    ) throws {
        let store = ParameterStore(.initialized(seed: 2), isTracked: true)
        let model = LINA(store.scope, configuration(mixer))
        let losses = try train(store, model, steps: 60, rate: 0.1)
        #expect(losses.allSatisfy { $0.isFinite })
    }

    @Test func `a batch in two parts has the gradients of the whole`() throws {
        let store = ParameterStore(.initialized(seed: 1), isTracked: true)
        let task = MaskedTask(model: LINA(store.scope, configuration(.lina)), seed: 3)
        let whole = batch(4)
        let half = ImageBatch(
            images: whole.images.samples(2..<4), labels: Array(whole.labels[2...]), indices: [2, 3])
        let first = ImageBatch(
            images: whole.images.samples(0..<2), labels: Array(whole.labels[..<2]), indices: [0, 1])
        let parts = task.evaluate(first, step: 5).loss + task.evaluate(half, step: 5, first: 2).loss
        #expect(abs(parts / 2 - task.evaluate(whole, step: 5).loss) < 1e-4)
    }
}
