import Autoregression
import Backbones
import Layers
import Tensors
import Training

/// What a LINA learns from a batch: the velocities of hidden tokens, from the visible ones and the label.
///
/// Everything random depends on (seed, step, place in the step's batch) only, as in `DiffusionTask`. Parameters that the
/// published training leaves alone get no gradient.
public struct MaskedTask: TrainingTask {
    public let model: LINA
    public let objective: MaskedFlowObjective
    public let seed: UInt64

    public init(model: LINA, objective: MaskedFlowObjective = MaskedFlowObjective(), seed: UInt64) {
        self.model = model
        self.objective = objective
        self.seed = seed
    }

    /// - Parameters:
    ///   - batch: images or scaled latents `[N, H, W, C]` of the model's size.
    ///   - step: the update this batch belongs to, from 1.
    ///   - first: place of the batch's first sample in the update's whole batch.
    public func evaluate(_ batch: ImageBatch, step: Int, first: Int = 0) -> BatchEvaluation {
        let configuration = model.configuration
        let places = first..<first + batch.images.shape[0]
        let dropout = RandomStream(seed: seed).stream(named: "label dropout").stream(UInt64(step))
        let labels = zip(places, batch.labels).map { place, label in
            dropout.uniformDouble(at: UInt64(place)) < configuration.conditionDropout ? nil : label
        }
        let draw = objective.draw(
            samples: places, tokens: model.tokenGrid.count, width: model.tokenWidth,
            from: RandomStream(seed: seed).stream(named: "masked flow").stream(UInt64(step)))
        let evaluation = objective.evaluate(
            model, tokens: PatchEmbedding.tokens(of: batch.images, patchSize: configuration.patchSize),
            condition: model.condition(labels: labels), draw: draw)
        return BatchEvaluation(
            loss: Double(evaluation.loss.item), parts: [:], gradients: evaluation.loss.gradients())
    }
}
