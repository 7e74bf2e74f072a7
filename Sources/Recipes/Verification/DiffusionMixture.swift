import Diffusion
import Foundation
import Synchronization
import Tensors

/// A denoiser whose answer is known exactly: the posterior mean under a mixture of isotropic Gaussians. Stands in
/// for a network in sampling cases.
struct DiffusionMixture: LatentModel {
    /// Means in memory order, `[K][H·W·C]`.
    var means: [[Double]]
    var deviations, logWeights: [Double]
    var classes: [Int]
    /// What it answers with.
    var prediction: Prediction
    /// Whether tanh(x) follows as variance channels.
    var answersVariance = false
    /// Keeps what it was asked, where a case compares that.
    var recorder: EvaluationRecorder?

    init(
        _ check: DiffusionCheck, means: String = "gmm_mu", deviations: String = "gmm_std",
        prediction: Prediction
    ) throws {
        let mu = try check.latent(means)
        self.means = (0..<mu.sampleCount).map { mu.samples(in: $0..<$0 + 1).values }
        self.deviations = try check.values(deviations)
        logWeights = try check.values("gmm_logw")
        classes = try check.fixture.input("gmm_class").integers
        self.prediction = prediction
    }

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        var clean = x
        var noise = x
        for n in 0..<x.sampleCount {
            let range = n * x.sampleSize..<(n + 1) * x.sampleSize
            let answer = posterior(Array(x.values[range]), level, label: labels[n])
            clean.values.replaceSubrange(range, with: answer.clean)
            noise.values.replaceSubrange(range, with: answer.noise)
        }
        recorder?.record(x, level, clean)
        let (onClean, onNoise) = prediction.targetCoefficients(at: level)
        let main = Latent.combine((onClean, clean), (onNoise, noise))
        return answersVariance ? main.joiningChannels(x.map { tanh($0) }) : main
    }

    /// E[x₀ | x] and E[ε | x] of one sample.
    private func posterior(
        _ x: [Double], _ level: NoiseLevel, label: Int?
    ) -> (clean: [Double], noise: [Double]) {
        // An adaptive method may look past the data, where no noise is left.
        let (a, b) = (level.signal, max(level.noise, 0))
        let components = classes.indices.filter { label == nil || classes[$0] == label }
        let variances = components.map { a * a * deviations[$0] * deviations[$0] + b * b }
        let logs = zip(components, variances).map { k, variance in
            let distance = zip(x, means[k]).reduce(0) { $0 + ($1.0 - a * $1.1) * ($1.0 - a * $1.1) }
            return logWeights[k] - Double(x.count) / 2 * log(variance) - distance / (2 * variance)
        }
        let highest = logs.max() ?? 0
        let total = logs.reduce(0) { $0 + exp($1 - highest) }
        var clean = Array(repeating: 0.0, count: x.count)
        var noise = clean
        for (position, k) in components.enumerated() {
            let weight = exp(logs[position] - highest) / total
            let pull = a * deviations[k] * deviations[k] / variances[position]
            let push = b / variances[position]
            for i in x.indices {
                let residual = x[i] - a * means[k][i]
                clean[i] += weight * (means[k][i] + pull * residual)
                noise[i] += weight * push * residual
            }
        }
        return (clean, noise)
    }
}

/// What a model was asked in the course of a run.
final class EvaluationRecorder: Sendable {
    struct Evaluation: Sendable {
        var x: Latent
        var level: NoiseLevel
        var clean: Latent
    }

    private let stored = Mutex<[Evaluation]>([])

    var evaluations: [Evaluation] { stored.withLock { $0 } }

    func record(_ x: Latent, _ level: NoiseLevel, _ clean: Latent) {
        stored.withLock { $0.append(Evaluation(x: x, level: level, clean: clean)) }
    }
}
