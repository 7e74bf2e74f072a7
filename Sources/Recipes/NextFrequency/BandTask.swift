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
    public let learner: any BandLearner
    public let tokenizer: OctaveTokenizer
    public let shares: LevelShares
    public let noise: ContextNoise
    public let seed: UInt64
    /// Probability of training a sample without its label, for classifier-free guidance.
    public let labelDropout: Double

    /// - Parameter shares: how the batch is divided among the levels; nil for the root of their tokens.
    public init(
        _ learner: any BandLearner, tokenizer: OctaveTokenizer, shares: LevelShares? = nil,
        noise: ContextNoise = ContextNoise(), seed: UInt64, labelDropout: Double
    ) {
        self.learner = learner
        self.tokenizer = tokenizer
        self.shares = shares ?? LevelShares(tokens: (0..<tokenizer.levelCount).map(tokenizer.tokenGrid))
        self.noise = noise
        self.seed = seed
        self.labelDropout = labelDropout
    }

    /// With the joint head.
    public init(
        network: any Denoiser, objective: any Objective, tokenizer: OctaveTokenizer, seat: BandSeat,
        shares: LevelShares? = nil, noise: ContextNoise = ContextNoise(), seed: UInt64, labelDropout: Double
    ) {
        self.init(
            JointBandLearner(network: network, seat: seat, objective: objective, seed: seed),
            tokenizer: tokenizer, shares: shares, noise: noise, seed: seed, labelDropout: labelDropout)
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
            let weight = Double(members.count) / Double(count)
            let (output, evaluation) = evaluate(
                batch, level: level, members: members, step: step, first: first, weight: weight)
            // One scalar whose gradient is the sum of all levels' gradients.
            total = total + (output * evaluation.gradient).sum()
            parts["level \(level + 1)"] = evaluation.mean
            loss += evaluation.mean * weight
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
            tokenizer: tokenizer, noise: noise, streams: streams)
        let dropout = RandomStream(seed: seed).stream(named: "label dropout").stream(UInt64(step))
        let labels = members.map { place in
            labelDropout > 0 && dropout.uniformDouble(at: UInt64(first + place)) < labelDropout
                ? nil : batch.labels[place]
        }
        return learner.evaluate(
            example, labels: labels, places: members.map { first + $0 }, step: step, weight: weight)
    }
}
