import Tensors

/// What one training step draws at random, one entry per sample.
///
/// Objectives turn these into noise levels and network inputs by pure functions, so that a recorded draw
/// gives a recorded loss.
public struct TrainingDraw: Sendable {
    /// Standard normal, the shape of the data `[N, H, W, C]`.
    public var noise: Tensor
    /// Uniform in 0..<1.
    public var uniform: [Double]
    /// Standard normal.
    public var normal: [Double]

    public init(noise: Tensor, uniform: [Double], normal: [Double]) {
        self.noise = noise
        self.uniform = uniform
        self.normal = normal
    }
}

/// A batch on its way into the network, and what is needed to judge the answer.
public struct TrainingExample: Sendable {
    /// The data x₀ and the noise ε, `[N, H, W, C]`.
    public var clean, noise: Tensor
    /// a·x₀ + b·ε.
    public var noisy: Tensor
    /// The network's input: `noisy`, scaled where the objective scales it.
    public var input: Tensor
    /// What the network is told of each sample's noise level.
    public var time: [Float]
    public var levels: [NoiseLevel]
    /// Index into a discrete process; empty for continuous ones.
    public var steps: [Int]
}

/// A loss and its derivative.
public struct LossEvaluation: Sendable {
    /// One loss per sample.
    public var losses: [Double]
    /// Named terms of the loss, one value per sample, for the log: "mse", "vb".
    public var parts: [String: [Double]]
    /// d(Σ weightᵢ·lossᵢ)/d(output), the shape of the output.
    public var gradient: Tensor

    /// Mean loss of the batch.
    public var mean: Double { losses.isEmpty ? 0 : losses.reduce(0, +) / Double(losses.count) }
}

/// What a denoising network is trained to do: which noisy input it gets and how its answer is judged.
public protocol Objective: Sendable {
    /// What the first C output channels mean.
    var prediction: Prediction { get }

    /// Whether the network answers with a second set of C channels for the reverse variance.
    var learnsVariance: Bool { get }

    /// The network's input for data `clean` `[N, H, W, C]` and drawn numbers.
    func example(clean: Tensor, draw: TrainingDraw) -> TrainingExample

    /// Judges the network's answer.
    /// - Parameters:
    ///   - output: `[N, H, W, C]`, or `[N, H, W, 2C]` with learned variance.
    ///   - weights: the cotangent of each sample's loss; 1/N gives the gradient of the batch mean.
    func evaluate(output: Tensor, example: TrainingExample, weights: [Double]) -> LossEvaluation
}

extension Objective {
    /// Judges the answer with the gradient of the batch mean.
    public func evaluate(output: Tensor, example: TrainingExample) -> LossEvaluation {
        let count = output.shape[0]
        return evaluate(
            output: output, example: example, weights: Array(repeating: 1 / Double(count), count: count))
    }
}

extension TrainingExample {
    /// Mixes data and noise at the given levels.
    init(clean: Tensor, noise: Tensor, levels: [NoiseLevel], steps: [Int] = [], inputScale: [Double]? = nil) {
        precondition(
            clean.shape == noise.shape && levels.count == clean.shape[0],
            "data \(clean.shape), noise \(noise.shape) and \(levels.count) levels do not fit")
        self.clean = clean
        self.noise = noise
        self.levels = levels
        self.steps = steps
        time = levels.map { Float($0.time) }
        let mixed = mixPerSample(clean, levels.map(\.signal), noise, levels.map(\.noise))
        noisy = mixed
        input = inputScale.map { mixPerSample(mixed, $0, nil, []) } ?? mixed
    }
}

/// cᵢ·xᵢ + dᵢ·yᵢ with one pair of factors per sample.
func mixPerSample(_ x: Tensor, _ c: [Double], _ y: Tensor?, _ d: [Double]) -> Tensor {
    let result = Tensor.uninitialized(x.shape)
    let size = x.shape[0] == 0 ? 0 : x.elementCount / x.shape[0]
    result.withMutableScalars { out in
        x.withScalars { x in
            for (n, factor) in c.enumerated() {
                let factor = Float(factor)
                for i in n * size..<(n + 1) * size { out[i] = factor * x[i] }
            }
        }
        y?.withScalars { y in
            for (n, factor) in d.enumerated() {
                let factor = Float(factor)
                for i in n * size..<(n + 1) * size { out[i] += factor * y[i] }
            }
        }
    }
    return result
}
