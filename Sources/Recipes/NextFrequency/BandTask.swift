import Autoregression
import Diffusion
import Layers
import Tensors
import Training

/// What a continuous next-frequency model learns from a batch: some images train one level, some another, all
/// in one network.
///
/// Everything random depends on (seed, step, place in the step's batch) only, as in `DiffusionTask`.
public struct BandTask: TrainingTask {
    public let network: any Denoiser
    public let objective: any Objective
    public let tokenizer: OctaveTokenizer
    public let seat: BandSeat
    public let shares: LevelShares
    public let noise: ContextNoise
    public let seed: UInt64
    /// Probability of training a sample without its label, for classifier-free guidance.
    public let labelDropout: Double

    /// - Parameter shares: how the batch is divided among the levels; nil for the root of their tokens.
    public init(
        network: any Denoiser, objective: any Objective, tokenizer: OctaveTokenizer, seat: BandSeat,
        shares: LevelShares? = nil, noise: ContextNoise = ContextNoise(), seed: UInt64, labelDropout: Double
    ) {
        self.network = network
        self.objective = objective
        self.tokenizer = tokenizer
        self.seat = seat
        self.shares = shares ?? LevelShares(tokens: (0..<tokenizer.levelCount).map(tokenizer.tokenGrid))
        self.noise = noise
        self.seed = seed
        self.labelDropout = labelDropout
    }

    /// - Parameters:
    ///   - step: the update this batch belongs to, from 1.
    ///   - first: place of the batch's first sample in the update's whole batch.
    /// - Returns: the mean loss over all images; its parts are the mean loss of each level.
    public func evaluate(_ batch: ImageBatch, step: Int, first: Int = 0) -> BatchEvaluation {
        let count = batch.images.shape[0]
        let levels = shares.levels(first..<first + count)
        var (total, parts, loss) = (Tensor(0), [String: Double](), 0.0)
        for level in 0..<tokenizer.levelCount {
            let members = levels.indices.filter { levels[$0] == level }
            guard !members.isEmpty else { continue }
            let (output, evaluation) = evaluate(
                batch, level: level, members: members, step: step, first: first, weight: 1 / Double(count))
            // One scalar whose gradient is the sum of all levels' gradients.
            total = total + (output * evaluation.gradient).sum()
            parts["level \(level + 1)"] = evaluation.mean
            loss += evaluation.losses.reduce(0, +) / Double(count)
        }
        return BatchEvaluation(loss: loss, parts: parts, gradients: total.gradients())
    }

    private func evaluate(
        _ batch: ImageBatch, level: Int, members: [Int], step: Int, first: Int, weight: Double
    ) -> (output: Tensor, LossEvaluation) {
        let streams = members.map {
            RandomStream(seed: seed).stream(named: "band").stream(UInt64(step)).stream(UInt64(first + $0))
        }
        let example = BandExample(
            .concatenateSamples(members.map { batch.images.samples($0..<$0 + 1) }), level: level,
            network: network,
            seat: seat, tokenizer: tokenizer, noise: noise, streams: streams)
        let shape = Array(example.clean.shape.extents.dropFirst())
        let draws = members.map {
            TrainingDraw(seed: seed, step: step, samples: first + $0..<first + $0 + 1, sampleShape: shape)
        }
        let noisy = objective.example(
            clean: example.clean,
            draw: TrainingDraw(
                noise: .concatenateSamples(draws.map(\.noise)), uniform: draws.flatMap(\.uniform),
                normal: draws.flatMap(\.normal)))
        let dropout = RandomStream(seed: seed).stream(named: "label dropout").stream(UInt64(step))
        let labels = members.map { place in
            labelDropout > 0 && dropout.uniformDouble(at: UInt64(first + place)) < labelDropout
                ? nil : batch.labels[place]
        }
        let output = example.denoiser.predict(noisy.input, time: noisy.time, labels: labels)
        let loss = objective.evaluate(
            output: output.detached, example: noisy, weights: Array(repeating: weight, count: members.count))
        return (output, loss)
    }
}
