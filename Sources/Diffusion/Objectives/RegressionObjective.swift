import Tensors

/// The mean square error between the network's output and its target, weighted by noise level.
///
/// Flow matching, v-, ε- and x₀-prediction, min-SNR, SiT's and EDM's losses are all this, with different
/// levels, predictions and weights. Per sample: w(level)·mean over H, W, C of (output − target)².
public struct RegressionObjective: Objective {
    public var levels: LevelSampling
    public var prediction: Prediction
    public var weight: LossWeight
    public var learnsVariance: Bool { false }

    public init(levels: LevelSampling, prediction: Prediction, weight: LossWeight = .uniform) {
        self.levels = levels
        self.prediction = prediction
        self.weight = weight
    }

    /// Rectified flow (arXiv 2209.03003, 2403.03206): target ε − x₀, network time 1000·s.
    public static func flowMatching(
        sampling: FlowTimeSampling = .logitNormal(mean: 0, deviation: 1), shift: Double = 1,
        timeScale: Double = 1000, weight: LossWeight = .uniform
    ) -> RegressionObjective {
        RegressionObjective(
            levels: .flow(sampling, shift: shift, path: FlowPath(timeScale: timeScale)), prediction: .flow,
            weight: weight)
    }

    /// ε-, x₀- or v-prediction on a discrete process.
    public static func discrete(
        _ process: GaussianProcess, prediction: Prediction, weight: LossWeight = .uniform
    ) -> RegressionObjective {
        RegressionObjective(levels: .discrete(process), prediction: prediction, weight: weight)
    }

    /// EDM's loss λ(σ)·(D − x₀)²: in terms of the raw output F its weight is exactly 1.
    public static func edm(
        sigmaData: Double = 0.5, logMean: Double = -1.2, logDeviation: Double = 1.2, timeScale: Double = 1,
        weight: LossWeight = .uniform
    ) -> RegressionObjective {
        RegressionObjective(
            levels: .logNormal(
                mean: logMean, deviation: logDeviation, path: ExplodingPath(timeScale: timeScale)),
            prediction: .preconditioned(Preconditioning(sigmaData: sigmaData)), weight: weight)
    }

    public func example(clean: Tensor, draw: TrainingDraw) -> TrainingExample {
        let drawn = (0..<clean.shape[0]).map {
            levels.level(uniform: draw.uniform[$0], normal: draw.normal[$0])
        }
        let scales = drawn.map { prediction.inputScale(at: $0.0) }
        return TrainingExample(
            clean: clean, noise: draw.noise, levels: drawn.map(\.0), steps: drawn.compactMap(\.step),
            inputScale: scales.allSatisfy { $0 == 1 } ? nil : scales)
    }

    public func evaluate(output: Tensor, example: TrainingExample, weights: [Double]) -> LossEvaluation {
        precondition(
            output.shape == example.clean.shape,
            "the network answered \(output.shape) to data \(example.clean.shape)")
        let gradient = Tensor.uninitialized(output.shape)
        let size = output.elementCount / max(output.shape[0], 1)
        var losses: [Double] = []
        gradient.withMutableScalars { gradient in
            output.withScalars { output in
                example.clean.withScalars { clean in
                    example.noise.withScalars { noise in
                        for (sample, level) in example.levels.enumerated() {
                            let range = sample * size..<(sample + 1) * size
                            let factor = weight.factor(at: level, prediction: prediction)
                            let (onClean, onNoise) = prediction.targetCoefficients(at: level)
                            let sum = regress(
                                UnsafeBufferPointer(rebasing: output[range]),
                                UnsafeBufferPointer(rebasing: clean[range]), Float(onClean),
                                UnsafeBufferPointer(rebasing: noise[range]), Float(onNoise),
                                slope: Float(2 * factor * weights[sample] / Double(size)),
                                gradient: UnsafeMutableBufferPointer(rebasing: gradient[range]))
                            losses.append(factor * sum / Double(size))
                        }
                    }
                }
            }
        }
        return LossEvaluation(losses: losses, parts: ["mse": losses], gradient: gradient)
    }
}

/// Σ (output − c·clean − d·noise)², and `slope` times the difference as gradient.
func regress(
    _ output: UnsafeBufferPointer<Float>, _ clean: UnsafeBufferPointer<Float>, _ c: Float,
    _ noise: UnsafeBufferPointer<Float>, _ d: Float, slope: Float,
    gradient: UnsafeMutableBufferPointer<Float>
) -> Double {
    var sum = 0.0
    for i in 0..<output.count {
        let difference = output[i] - (c * clean[i] + d * noise[i])
        gradient[i] = slope * difference
        sum += Double(difference) * Double(difference)
    }
    return sum
}
