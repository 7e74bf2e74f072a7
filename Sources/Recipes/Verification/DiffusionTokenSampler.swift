import Autoregression
import Diffusion
import Layers
import Tensors

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
        let rows = features.shape[0]
        let shape: Shape = [rows, predictor.tokenWidth]
        let condition = predictor.headCondition(
            reference.map { .concatenateSamples([features, $0]) } ?? features)
        let model = TokenHeadModel(
            predictor: predictor, condition: condition, guidance: reference == nil ? nil : guidance)
        let run = SamplingRun(
            GuidedModel(model, prediction: .noise, labels: Array(repeating: nil, count: rows)),
            solver: DDPM(process: process), grid: process.samplingGrid, path: DiscreteSchedule(process),
            noise: TokenNoiseSource(
                noise: noise, temperature: temperature, shape: shape, stepCount: process.stepCount),
            start: Latent(noise.draw(0, shape: shape)))
        return run.finished().tensor
    }
}

/// A token head as a sampler's model, guided on the noise channels alone.
struct TokenHeadModel: LatentModel {
    let predictor: any MaskedTokenPredictor
    /// One row per token; with guidance the unconditional ones follow.
    let condition: Tensor
    let guidance: Double?

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let input = x.tensor
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

/// Draws 1, 2, … of a step's token noise for a solver, cooled.
private struct TokenNoiseSource: NoiseSource {
    let draws: [Latent]

    init(noise: any TokenNoise, temperature: Double, shape: Shape, stepCount: Int) {
        draws = (0..<stepCount).map { temperature * Latent(noise.draw($0 + 1, shape: shape)) }
    }

    func normals(draw: Int, sample: Int, count: Int) -> [Double] {
        RecordedNoise(draws: draws).normals(draw: draw, sample: sample, count: count)
    }
}
