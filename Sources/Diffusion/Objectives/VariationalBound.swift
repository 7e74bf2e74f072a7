import Foundation
import Tensors

/// The full variational bound on the likelihood of data under a discrete process, in bits per dimension
/// (IDDPM, arXiv 2102.09672, equation 4).
public struct VariationalBound: Sendable {
    public var process: GaussianProcess
    public var prediction: Prediction
    public var variance: ReverseVariance
    /// Clips x̂₀ to −1…1, which is right for pixels.
    public var clipping: Clipping

    public init(
        process: GaussianProcess, prediction: Prediction = .noise,
        variance: ReverseVariance = .learnedRange, clipping: Clipping = .clamp(1)
    ) {
        self.process = process
        self.prediction = prediction
        self.variance = variance
        self.clipping = clipping
    }

    /// What one step contributes, per sample.
    public struct Term: Sendable {
        /// Bits per element.
        public var bound: [Double]
        /// Mean square errors of the clean estimate and of the noise it implies.
        public var cleanError, noiseError: [Double]
    }

    /// The term of step t.
    /// - Parameters:
    ///   - noise: what `noisy` was made with.
    ///   - output: the network's answer to `noisy`, variance channels last.
    public func term(clean: Latent, noise: Latent, noisy: Latent, output: Latent, step t: Int) -> Term {
        let channels = clean.shape.channels
        let level = process.level(at: t)
        let main = output.channels(in: 0..<channels)
        let range = variance.isLearned ? output.channels(in: channels..<2 * channels) : nil
        let estimate = clipping(prediction.clean(from: main, x: noisy, at: level))
        let logVariance = process.logVariance(variance, range: range, like: clean, at: t)
        let implied = Latent.combine((1 / level.noise, noisy), (-level.signal / level.noise, estimate))
        let element = BoundTerm(process, step: t)
        var bits = clean
        for i in clean.values.indices {
            bits.values[i] =
                element(
                    clean: clean.values[i], noisy: noisy.values[i], estimate: estimate.values[i],
                    logVariance: logVariance.values[i]
                ).bits
        }
        return Term(
            bound: bits.sampleMeans, cleanError: (estimate - clean).map { $0 * $0 }.sampleMeans,
            noiseError: (implied - noise).map { $0 * $0 }.sampleMeans)
    }

    /// KL(q(x_T | x₀) ‖ N(0, I)) in bits per element: what even a perfect model pays.
    public func prior(clean: Latent) -> [Double] {
        let alpha = process.alphasCumprod[process.stepCount - 1]
        let logVariance = log(1 - alpha)
        return clean.map { value in
            0.5 * (-1 - logVariance + exp(logVariance) + alpha * value * value) / log(2)
        }.sampleMeans
    }

    /// Everything, with one network call per step, from the noisiest down.
    /// - Parameter noise: one standard normal draw per step, in that order.
    public func evaluate(
        clean: Latent, labels: [Int?], model: any LatentModel, noise: (Int) -> Latent
    ) -> (total: [Double], prior: [Double], terms: [Term]) {
        let terms = (0..<process.stepCount).reversed().enumerated().map { index, t in
            let (level, draw) = (process.level(at: t), noise(index))
            let noisy = Latent.combine((level.signal, clean), (level.noise, draw))
            return term(
                clean: clean, noise: draw, noisy: noisy,
                output: model.output(noisy, at: level, labels: labels), step: t)
        }
        let prior = prior(clean: clean)
        let total = prior.indices.map { n in prior[n] + terms.reduce(0) { $0 + $1.bound[n] } }
        return (total, prior, terms)
    }
}

extension Latent {
    /// Mean of each sample.
    var sampleMeans: [Double] {
        let size = sampleSize
        return (0..<sampleCount).map { n in
            values[n * size..<(n + 1) * size].reduce(0, +) / Double(max(size, 1))
        }
    }
}
