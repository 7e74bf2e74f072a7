import Denoising
import Layers
import Tensors
import Training

/// What a denoiser learns from a batch. A tunable network with two parameters learns a strength: ω = (s, 1 − s) is
/// drawn for every sample, and mixes the kernels as it mixes the losses to the clean and to the noisy image.
///
/// Everything random depends on (seed, step, place in the step's batch) only, as in `DiffusionTask`.
struct RestorationTask {
    let restorer: any ImageRestorer
    let objective: RestorationObjectiveSettings
    let seed: UInt64

    func evaluate(_ batch: RestorationBatches.Batch, step: Int, first: Int) -> BatchEvaluation {
        let places = first..<first + batch.clean.shape[0]
        func streams(_ name: String) -> [RandomStream] {
            let stream = RandomStream(seed: seed).stream(named: name).stream(UInt64(step))
            return places.map { stream.stream(UInt64($0)) }
        }
        var condition = RestorationCondition()
        var noisy = batch.noisy ?? batch.clean
        if let noise = objective.noise {
            let made = noise.model.apply(to: batch.clean, streams("noise"))
            noisy = made.images
            if restorer.needsNoiseLevel { condition.noiseLevel = made.level }
        }
        let loss = objective.restorationLoss
        guard restorer.tuningCount > 0 else {
            return evaluation(loss(restorer.restore(noisy, condition, isTraining: true), batch.clean))
        }
        let tuning = Tensor(
            shape: [places.count, 2], scalars: streams("strength").flatMap(ParametricLoss.drawStrength))
        condition.tuning = tuning
        let prediction = restorer.restore(noisy, condition, isTraining: true)
        let values = ParametricLoss.strength(loss).values(prediction, clean: batch.clean, noisy: noisy)
        return evaluation(ParametricLoss.combined(values, tuning: tuning))
    }

    private func evaluation(_ loss: Tensor) -> BatchEvaluation {
        BatchEvaluation(loss: Double(loss.item), parts: [:], gradients: loss.gradients())
    }
}
