import Diffusion
import Layers
import Tensors
import Training

/// What a diffusion model learns from a batch: the objective's loss of the network's answer, and its gradients.
///
/// Everything random (noise, noise level, dropped labels) depends on (seed, step, place in the step's batch) only,
/// so a resumed run, or one that splits its batch into smaller ones, draws the same numbers.
public struct DiffusionTask: TrainingTask {
    public let model: any Denoiser
    public let objective: any Objective
    public let seed: UInt64
    /// Probability of training a sample without its label, for classifier-free guidance.
    public let labelDropout: Double

    public init(model: any Denoiser, objective: any Objective, seed: UInt64, labelDropout: Double) {
        self.model = model
        self.objective = objective
        self.seed = seed
        self.labelDropout = labelDropout
    }

    /// - Parameters:
    ///   - step: the update this batch belongs to, from 1.
    ///   - first: place of the batch's first sample in the update's whole batch.
    public func evaluate(_ batch: ImageBatch, step: Int, first: Int = 0) -> BatchEvaluation {
        let count = batch.images.shape[0]
        let draw = TrainingDraw(
            seed: seed, step: step, samples: first..<first + count,
            sampleShape: Array(batch.images.shape.extents.dropFirst()))
        let example = objective.example(clean: batch.images, draw: draw)
        let dropout = RandomStream(seed: seed).stream(named: "label dropout").stream(UInt64(step))
        let labels = batch.labels.enumerated().map { index, label in
            labelDropout > 0 && dropout.uniformDouble(at: UInt64(first + index)) < labelDropout ? nil : label
        }
        let output = model.predict(example.input, time: example.time, labels: labels)
        let loss = objective.evaluate(output: output.detached, example: example)
        return BatchEvaluation(
            loss: loss.mean,
            parts: loss.parts.mapValues { $0.reduce(0, +) / Double(max(1, $0.count)) },
            gradients: output.gradients(cotangent: loss.gradient))
    }
}
