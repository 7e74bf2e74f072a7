import Backbones
import Diffusion
import Layers
import Tensors

/// MAR's per-token diffusion head in a sampler's seat, with its own form of guidance: the first half of the
/// rows is conditional, the second unconditional, both see the first half's state, and only the noise is guided.
struct TokenDiffusionModel: LatentModel {
    let head: MARHead
    /// `[2R, W]`, time not yet added.
    let condition: Tensor
    let guidanceScale: Double

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let (rows, channels) = (x.sampleCount, x.shape.channels)
        let half = x.samples(in: 0..<rows / 2)
        let time = Array(repeating: Float(level.time), count: rows)
        let raw = Latent(head(half.appending(half).tensor, time: time, condition: condition))
        let noise = raw.channels(in: 0..<channels)
        let guided = Latent.combine(
            (1 - guidanceScale, noise.samples(in: rows / 2..<rows)),
            (guidanceScale, noise.samples(in: 0..<rows / 2)))
        return guided.appending(guided).joiningChannels(raw.channels(in: channels..<raw.shape.channels))
    }

    /// Ancestral sampling over a respaced cosine process.
    /// - Parameters:
    ///   - start: `[2R, c]`, both halves alike.
    ///   - temperature: factor on the noise of the steps.
    func run(_ process: GaussianProcess, start: Latent, noise: any NoiseSource, temperature: Double)
        -> SamplingRun
    {
        SamplingRun(
            GuidedModel(self, prediction: .noise, labels: Array(repeating: nil, count: start.sampleCount)),
            solver: DDPM(process: process), grid: process.samplingGrid, path: DiscreteSchedule(process),
            noise: TemperedNoise(source: noise, temperature: temperature), start: start)
    }

    /// The training process of MAR and FAR, visited at so many steps.
    static func process(steps: Int) throws -> GaussianProcess {
        try GaussianProcess(.cosine).respaced(String(steps))
    }
}

/// Another source's noise times a factor.
struct TemperedNoise: NoiseSource {
    let source: any NoiseSource
    let temperature: Double

    func normals(draw: Int, sample: Int, count: Int) -> [Double] {
        source.normals(draw: draw, sample: sample, count: count).map { $0 * temperature }
    }
}
