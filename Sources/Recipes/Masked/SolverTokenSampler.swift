import Autoregression
import Diffusion
import Layers
import Tensors

/// Draws tokens with a solver of diffusion: every token is a sample of its own, all at once.
///
/// The predictor's head answers as the objective `prediction` belongs to demands, variance channels behind the others.
struct SolverTokenSampler: TokenSampler {
    let method: SamplingMethod
    let prediction: Prediction

    func sample(
        features: Tensor, reference: Tensor?, guidance: Double, of predictor: any MaskedTokenPredictor,
        noise: any TokenNoise
    ) -> Tensor {
        let rows = features.shape[0]
        let shape: Shape = [rows, predictor.tokenWidth]
        let condition = predictor.headCondition(
            reference.map { .concatenateSamples([features, $0]) } ?? features)
        let model = TokenHeadModel(
            predictor: predictor, prediction: prediction, condition: condition,
            guidance: reference == nil ? nil : guidance)
        let draws = (method.grid.count - 1) * method.solver.drawsPerStep
        let run = SamplingRun(
            GuidedModel(model, prediction: prediction, labels: Array(repeating: nil, count: rows)),
            solver: method.solver, grid: method.grid, path: method.path,
            noise: RecordedNoise(draws: (0..<draws).map { Latent(noise.draw($0 + 1, shape: shape)) }),
            start: method.startScale * Latent(noise.draw(0, shape: shape)))
        return run.finished().tensor
    }
}

/// Draws tokens by ancestral sampling of a discrete process: MAR's diffusion-loss head at work (arXiv 2406.11838).
///
/// The predictor's head answers with noise and variance channels.
public struct DiffusionTokenSampler: TokenSampler {
    public var process: GaussianProcess
    /// Factor on the noise of every step; below 1 for fewer surprises.
    public var temperature: Double

    /// - Parameter process: what the head was trained with, respaced to the steps wanted.
    public init(process: GaussianProcess, temperature: Double = 1) {
        self.process = process
        self.temperature = temperature
    }

    public func sample(
        features: Tensor, reference: Tensor?, guidance: Double, of predictor: any MaskedTokenPredictor,
        noise: any TokenNoise
    ) -> Tensor {
        let method = SamplingMethod(
            solver: DDPM(process: process), grid: process.samplingGrid, path: DiscreteSchedule(process),
            startScale: 1)
        return SolverTokenSampler(method: method, prediction: .noise).sample(
            features: features, reference: reference, guidance: guidance, of: predictor,
            noise: ScaledTokenNoise(noise, start: 1, steps: Float(temperature)))
    }
}

/// A token head as a sampler's model, guided on the noise channels alone.
struct TokenHeadModel: LatentModel {
    let predictor: any MaskedTokenPredictor
    let prediction: Prediction
    /// One row per token; with guidance the unconditional ones follow.
    let condition: Tensor
    let guidance: Double?

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let input = (prediction.inputScale(at: level) * x).tensor
        let both = guidance == nil ? input : Tensor.concatenateSamples([input, input])
        let time = Array(repeating: Float(level.time), count: both.shape[0])
        let output = predictor.head(both, time: time, condition: condition)
        guard let guidance else { return Latent(output) }
        let (rows, width) = (input.shape[0], input.shape[1])
        let (main, null) = (Latent(output.samples(0..<rows)), Latent(output.samples(rows..<2 * rows)))
        var guided = main
        for index in guided.values.indices where index % main.shape.channels < width {
            guided.values[index] = null.values[index] + guidance * (main.values[index] - null.values[index])
        }
        return guided
    }
}
