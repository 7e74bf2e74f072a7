import Foundation
import Tensors

/// The losses of a discrete process with a fixed or learned reverse variance (DDPM, IDDPM, ADM; DiCo and DiT
/// train with `.meanSquare` and learned range).
///
/// The network's first C channels are ε̂ (or x̂₀), the last C the variance interpolation ν.
public struct HybridObjective: Objective {
    /// What is summed per sample. `vb` is the variational bound of the drawn step in bits per element.
    public enum LossKind: String, Hashable, Sendable, Codable, CaseIterable {
        /// mse + vb, where vb trains only ν.
        case meanSquare
        /// mse + vb·T/1000.
        case rescaledMeanSquare
        /// vb, with gradients everywhere.
        case variationalBound
        /// vb·T.
        case rescaledVariationalBound
    }

    public var process: GaussianProcess
    public var prediction: Prediction
    public var variance: ReverseVariance
    public var loss: LossKind
    /// Factor on the mean square error by noise level.
    public var weight: LossWeight

    /// - Parameter prediction: `.noise` or `.clean`; `.velocity` works as well.
    public init(
        process: GaussianProcess, prediction: Prediction = .noise,
        variance: ReverseVariance = .learnedRange, loss: LossKind = .meanSquare, weight: LossWeight = .uniform
    ) {
        self.process = process
        self.prediction = prediction
        self.variance = variance
        self.loss = loss
        self.weight = weight
    }

    public var learnsVariance: Bool { variance.isLearned }

    public func example(clean: Tensor, draw: TrainingDraw) -> TrainingExample {
        example(
            clean: clean, noise: draw.noise,
            steps: draw.uniform.map { min(Int($0 * Double(process.stepCount)), process.stepCount - 1) })
    }

    /// The input for steps chosen by the caller.
    public func example(clean: Tensor, noise: Tensor, steps: [Int]) -> TrainingExample {
        TrainingExample(clean: clean, noise: noise, levels: steps.map(process.level(at:)), steps: steps)
    }

    public func evaluate(output: Tensor, example: TrainingExample, weights: [Double]) -> LossEvaluation {
        let channels = example.clean.shape.channels
        precondition(
            output.shape.rows == example.clean.shape.rows
                && output.shape.channels == channels * (learnsVariance ? 2 : 1),
            "the network answered \(output.shape) to data \(example.clean.shape)")
        let gradient = Tensor.zeros(output.shape)
        var mse: [Double] = []
        var bound: [Double] = []
        gradient.withMutableScalars { gradient in
            output.withScalars { output in
                example.clean.withScalars { clean in
                    example.noise.withScalars { noise in
                        example.noisy.withScalars { noisy in
                            let batch = Batch(
                                output: output, clean: clean, noise: noise, noisy: noisy,
                                gradient: gradient, channels: channels,
                                size: clean.count / max(example.steps.count, 1))
                            for sample in example.steps.indices {
                                let terms = evaluate(
                                    sample, step: example.steps[sample], in: batch, weight: weights[sample])
                                mse.append(terms.mse)
                                bound.append(terms.bound)
                            }
                        }
                    }
                }
            }
        }
        return evaluation(mse: mse, bound: bound, gradient: gradient)
    }

    private func evaluation(mse: [Double], bound: [Double], gradient: Tensor) -> LossEvaluation {
        guard hasMeanSquare else {
            return LossEvaluation(losses: bound, parts: ["vb": bound], gradient: gradient)
        }
        guard learnsVariance else {
            return LossEvaluation(losses: mse, parts: ["mse": mse], gradient: gradient)
        }
        return LossEvaluation(
            losses: zip(mse, bound).map(+), parts: ["mse": mse, "vb": bound], gradient: gradient)
    }

    private var hasMeanSquare: Bool { loss == .meanSquare || loss == .rescaledMeanSquare }

    private var boundFactor: Double {
        switch loss {
        case .meanSquare, .variationalBound: return 1
        case .rescaledMeanSquare: return Double(process.stepCount) / 1000
        case .rescaledVariationalBound: return Double(process.stepCount)
        }
    }
}

extension HybridObjective {
    private struct Batch {
        let output, clean, noise, noisy: UnsafeBufferPointer<Float>
        let gradient: UnsafeMutableBufferPointer<Float>
        let channels, size: Int
    }

    /// The two terms of one sample; their weighted gradients are written into the batch's.
    private func evaluate(
        _ sample: Int, step: Int, in batch: Batch, weight sampleWeight: Double
    ) -> (mse: Double, bound: Double) {
        let level = process.level(at: step)
        let (onClean, onNoise) = prediction.targetCoefficients(at: level)
        let (cleanByNoisy, cleanByOutput) = prediction.cleanCoefficients(at: level)
        let (lower, upper) = process.logVarianceBounds(variance, at: step)
        let levelWeight = hasMeanSquare ? weight.factor(at: level, prediction: prediction) : 0
        let term = BoundTerm(process, step: step)
        let usesBound = learnsVariance || !hasMeanSquare
        let perElement = sampleWeight / Double(batch.size)
        let boundSlope = boundFactor * perElement
        let outputChannels = batch.channels * (learnsVariance ? 2 : 1)
        var (mse, bound) = (0.0, 0.0)
        for row in 0..<batch.size / batch.channels {
            let base = sample * batch.size + row * batch.channels
            let outputBase = (sample * batch.size / batch.channels + row) * outputChannels
            for c in 0..<batch.channels {
                let (clean, noisy) = (Double(batch.clean[base + c]), Double(batch.noisy[base + c]))
                let output = Double(batch.output[outputBase + c])
                let difference = output - (onClean * clean + onNoise * Double(batch.noise[base + c]))
                mse += difference * difference
                var slope = 2 * levelWeight * difference * perElement
                if usesBound {
                    let nu = learnsVariance ? Double(batch.output[outputBase + batch.channels + c]) : 0
                    let fraction = (nu + 1) / 2
                    let value = term(
                        clean: clean, noisy: noisy, estimate: cleanByNoisy * noisy + cleanByOutput * output,
                        logVariance: fraction * upper + (1 - fraction) * lower)
                    bound += value.bits
                    if !hasMeanSquare { slope = boundSlope * value.byClean * cleanByOutput }
                    if learnsVariance {
                        batch.gradient[outputBase + batch.channels + c] = Float(
                            boundSlope * value.byLogVariance * 0.5 * (upper - lower))
                    }
                }
                batch.gradient[outputBase + c] = Float(slope)
            }
        }
        let size = Double(batch.size)
        return (levelWeight * mse / size, boundFactor * bound / size)
    }
}
