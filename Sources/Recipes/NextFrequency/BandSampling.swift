import Autoregression
import Backbones
import Diffusion
import Layers
import Tensors

/// Draws bands with a diffusion solver: what joins the continuous next-frequency driver and the samplers of
/// diffusion.
public struct BandSampling: Sendable {
    /// Solver and noise levels of each level; the last serves all further ones.
    public var methods: [SamplingMethod]
    public var prediction: Prediction
    public var guidance: LevelGuidance
    /// Everything of guidance but its strength: where it applies, and what is put back.
    public var guidanceForm = Guidance(scale: 1)

    /// - Parameters:
    ///   - methods: at least one, as settings and an objective give them.
    ///   - prediction: what the network's output means.
    public init(
        _ methods: [SamplingMethod], prediction: Prediction, guidance: LevelGuidance = LevelGuidance()
    ) {
        precondition(!methods.isEmpty, "bands need a solver")
        self.methods = methods
        self.prediction = prediction
        self.guidance = guidance
    }

    /// The same solver at every level.
    public init(_ method: SamplingMethod, prediction: Prediction, guidance: LevelGuidance = LevelGuidance()) {
        self.init([method], prediction: prediction, guidance: guidance)
    }

    /// A batch of images, one seed and one label each, by a network in the joint head's seat.
    public func session(
        _ network: any Denoiser, seat: BandSeat, tokenizer: OctaveTokenizer,
        noise: ContextNoise = ContextNoise(),
        seeds: [UInt64], labels: [Int?]
    ) -> OctaveSession {
        .joint(network, seat: seat, tokenizer: tokenizer, noise: noise, seeds: seeds) {
            denoiser, shape, level in
            self.draw(
                denoiser, shape: shape, level: level, of: tokenizer.levelCount, seeds: seeds, labels: labels)
        }
    }

    private func draw(
        _ denoiser: any Denoiser, shape: Shape, level: Int, of count: Int, seeds: [UInt64], labels: [Int?]
    ) -> Tensor {
        let method = methods[min(level, methods.count - 1)]
        var guide = guidanceForm
        guide.scale = 1 + guidance.strength(level: level, of: count)
        let source = Self.noise(seeds: seeds, level: level)
        let start = method.startScale * source.latent(draw: 0, shape: shape)
        let model = GuidedModel(
            NetworkModel(denoiser, prediction: prediction), prediction: prediction, labels: labels,
            guidance: guide.scale == 1 ? nil : guide)
        return SamplingRun(
            model, solver: method.solver, grid: method.grid, path: method.path, noise: source, start: start
        )
        .finished().tensor
    }

    /// Every level of an image has numbers of its own.
    static func noise(seeds: [UInt64], level: Int) -> SeededNoise {
        SeededNoise(seeds: seeds.map { StableHash.mix($0 &+ StableHash.of("level \(level)")) })
    }

    /// A batch by per-token diffusion heads: features once per level, then the head's steps for every token.
    /// - Parameter temperature: factor on the noise of the steps.
    static func session(
        _ model: TokenBandModel, tokenizer: OctaveTokenizer, steps: Int, guidance: LevelGuidance,
        temperature: Double, seeds: [UInt64], labels: [Int?]
    ) throws -> OctaveSession {
        let process = try TokenDiffusionModel.process(steps: steps)
        let count = seeds.count
        return OctaveSession(tokenizer, imageCount: count) { level, previous in
            let context = tokenizer.context(previous, level: level).map {
                Tensor.concatenateSamples([$0, $0])
            }
            let condition = model.condition(context, level: level, labels: labels + labels.map { _ in nil })
            let head = TokenDiffusionModel(
                head: model.head, condition: condition.detached,
                guidanceScale: 1 + guidance.strength(level: level, of: tokenizer.levelCount))
            let grid = tokenizer.tokenGrid(level)
            let perImage = condition.shape[0] / (2 * count)
            // The first level has fewer channels; its tokens lie in the first of every seat.
            let width = 3 * tokenizer.channels * model.cell * model.cell
            let source = PerImageNoise(
                source: noise(seeds: seeds, level: level), rows: perImage, images: count)
            let half = source.latent(draw: 0, shape: [count * perImage, width])
            let drawn = head.run(
                process, start: half.appending(half), noise: source, temperature: temperature
            )
            .finished().samples(in: 0..<count * perImage)
            let map = model.map(drawn.tensor, images: count, grid: grid)
            return map.channels(0..<tokenizer.tokenChannels(level))
        }
    }
}

/// Noise of rows that belong to images: row r of an image is part r of the image's numbers, the same in both
/// halves of a guided batch.
struct PerImageNoise: NoiseSource {
    let source: SeededNoise
    let rows: Int
    let images: Int

    func normals(draw: Int, sample: Int, count: Int) -> [Double] {
        let row = sample % (rows * images)
        let stream = RandomStream(seed: source.seeds[row / rows]).stream(named: "tokens").stream(UInt64(draw))
        return stream.normals([count], from: UInt64(row % rows * count)).withScalars { $0.map(Double.init) }
    }
}
