import Autoregression
import Diffusion
import Layers
import Tensors

/// How a head learns the band of one level.
public protocol BandLearner: Sendable {
    /// - Parameters:
    ///   - labels: of the images; nil trains without.
    ///   - places: of the images in the update's whole batch; all numbers that are drawn depend on them and `step` only.
    ///   - weight: cotangent of the mean loss of these images.
    func evaluate(_ example: BandExample, labels: [Int?], places: [Int], step: Int, weight: Double) -> (
        output: Tensor, loss: LossEvaluation
    )
}

/// The joint head: a denoiser of whole bands.
struct JointBandLearner: BandLearner {
    let network: any Denoiser
    let seat: BandSeat
    let objective: any Objective
    let seed: UInt64

    func evaluate(_ example: BandExample, labels: [Int?], places: [Int], step: Int, weight: Double) -> (
        output: Tensor, loss: LossEvaluation
    ) {
        let shape = Array(example.clean.shape.extents.dropFirst())
        let draws = places.map {
            TrainingDraw(seed: seed, step: step, samples: $0..<$0 + 1, sampleShape: shape)
        }
        let noisy = objective.example(
            clean: example.clean,
            draw: TrainingDraw(
                noise: .concatenateSamples(draws.map(\.noise)), uniform: draws.flatMap(\.uniform),
                normal: draws.flatMap(\.normal)))
        let output = example.denoiser(network, seat: seat).predict(
            noisy.input, time: noisy.time, labels: labels)
        let count = places.count
        return (
            output,
            objective.evaluate(
                output: output.detached, example: noisy,
                weights: Array(repeating: weight / Double(count), count: count))
        )
    }
}

/// The token head: hidden tokens of a band, each from its own features.
struct TokenBandLearner: BandLearner {
    let network: BandTokenNetwork
    let objective: MaskedDiffusionObjective
    let seed: UInt64

    func evaluate(_ example: BandExample, labels: [Int?], places: [Int], step: Int, weight: Double) -> (
        output: Tensor, loss: LossEvaluation
    ) {
        let shape = example.clean.shape
        let predictor = BandTokenPredictor(
            network, level: example.level, grid: Grid(shape[1], shape[2]), context: example.context,
            shares: example.shares)
        let stream = RandomStream(seed: seed).stream(named: "band tokens").stream(UInt64(step))
        return objective.evaluate(
            predictor, tokens: predictor.tokens(of: example.clean),
            condition: predictor.condition(labels: labels), samples: places,
            stream: stream.stream(UInt64(example.level)), weight: weight)
    }
}
