import Backbones
import Checkpoints
import Diffusion
import Foundation
import Layers
import Recipes
import Tensors
import TestSupport
import Testing
import Training

/// The only case that exercises initialisation, label dropout, objective, optimiser and average together: the
/// published model with default initialisation on class-conditional Gaussians, whose loss curve is known.
@Suite struct ReferenceCurveTests {
    static let path = TestData.fixture("dico/toy_training_curve.json")

    @Test(
        .enabled(if: FileManager.default.fileExists(atPath: path)),
        arguments: ProductPrecision.allCases.filter(\.isAvailable))
    func `a model trained from scratch follows the reference's loss curve in every precision`(
        _ precision: ProductPrecision
    ) throws {
        let curve = try JSONValue(parsing: String(contentsOfFile: Self.path, encoding: .utf8))
        let configuration = DiCoConfiguration(hiddenSize: 16, depth: [1, 1, 1, 1, 1], classCount: 10)
        let store = ParameterStore(.initialized(seed: 11), isTracked: true, precision: precision)
        let task = DiffusionTask(
            model: DiCo(store.scope, configuration),
            objective: HybridObjective(process: GaussianProcess(.linear)), seed: 11, labelDropout: 0.1)
        var settings = OptimizerSettings()
        settings.learningRate = 1e-3
        settings.average.decay = 0.99
        let trainer = Trainer(store, settings: settings, totalSteps: 1500)

        var losses: [Double] = []
        while trainer.stepCount < 1500 {
            let step = trainer.stepCount + 1
            let report = try trainer.step { _ in (task.evaluate(Self.batch(step: step), step: step), 64) }
            losses.append(try #require(report.parts["mse"]))
        }
        #expect(
            abs(losses[0] - 1) < 0.03, "a fresh model predicts zero, so its first loss is the noise's power")
        for window in try #require(curve["windows"]?.array) {
            let steps = try #require(window["steps"]?.integers)
            let reference = try #require(window["mse"]?.numbers)
            guard steps[0] >= 51 else { continue }
            let mean = losses[steps[0] - 1..<steps[1]].reduce(0, +) / Double(steps[1] - steps[0] + 1)
            let expected = reference.reduce(0, +) / Double(reference.count)
            #expect(abs(mean / expected - 1) < 0.05, "steps \(steps): \(mean), the reference has \(expected)")
            if steps[1] == 1500 { #expect(mean <= 0.126) }
        }
    }

    private static let means = CounterGenerator.values(
        seed: 7, key: "toy_mu", exponent: 0, count: 10 * 4 * 8 * 8)

    /// 64 samples: the class's mean image plus 0.3·N(0, 1).
    private static func batch(step: Int) -> ImageBatch {
        let random = RandomStream(seed: 21).stream(UInt64(step))
        let labels = (0..<64).map { random.stream(named: "class").integer(below: 10, at: UInt64($0)) }
        let images = random.stream(named: "noise").normals([64, 8, 8, 4]) * 0.3
        images.withMutableScalars { scalars in
            for (sample, label) in labels.enumerated() {
                for pixel in 0..<64 {
                    for channel in 0..<4 {
                        scalars[(sample * 64 + pixel) * 4 + channel] +=
                            means[(label * 4 + channel) * 64 + pixel]
                    }
                }
            }
        }
        return ImageBatch(images: images, labels: labels, indices: Array(0..<64))
    }
}
