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
        SeededNoise(seeds: Self.seeds(seeds, level: level))
    }

    private static func seeds(_ seeds: [UInt64], level: Int) -> [UInt64] {
        seeds.map { StableHash.mix($0 &+ StableHash.of("level \(level)")) }
    }

    /// A batch by a token head: tokens in a random order of each image's own, some at a step, each drawn from its
    /// features.
    public func session(
        _ network: BandTokenNetwork, tokenizer: OctaveTokenizer, noise: ContextNoise = ContextNoise(),
        order: TokenOrder = TokenOrder(), seeds: [UInt64], labels: [Int?]
    ) -> OctaveSession {
        OctaveSession(tokenizer, imageCount: seeds.count) { level, previous in
            let context = noise.sampled(
                tokenizer.context(previous, level: level), level: level, seeds: seeds)
            let predictor = BandTokenPredictor(
                network, level: level, grid: tokenizer.tokenGrid(level), context: context.map,
                shares: context.shares)
            let own = Self.seeds(seeds, level: level)
            let orders = own.map {
                RandomStream(seed: $0).stream(named: "token order")
                    .permutation(count: predictor.tokenGrid.count)
            }
            let plan = MaskSchedule.rounded.plan(orders: orders, steps: order.steps)
            let scale = 1 + guidance.strength(level: level, of: tokenizer.levelCount)
            let run = MaskedRun(
                predictor,
                sampler: SolverTokenSampler(
                    method: methods[min(level, methods.count - 1)], prediction: prediction),
                condition: predictor.condition(labels: labels),
                reference: scale == 1 ? nil : predictor.condition(labels: labels.map { _ in nil }),
                plan: plan, guidance: Array(repeating: scale, count: plan.count)
            ) { step, tokens in
                ScaledTokenNoise(
                    SeededTokenNoise(seeds: own, step: step, tokens: tokens), start: order.startNoise,
                    steps: order.stepNoise)
            }
            return predictor.map(of: run.finished())
        }
    }

    /// Which tokens of a band are drawn when, and with how much noise.
    public struct TokenOrder: Hashable, Sendable {
        /// Autoregressive steps of a level, their tokens along a cosine; 1 draws all at once.
        public var steps: Int
        /// Factor on what a token begins as.
        public var startNoise: Float
        /// Factor on the noise of the solver's steps.
        public var stepNoise: Float

        public init(steps: Int = 1, startNoise: Float = 1, stepNoise: Float = 1) {
            (self.steps, self.startNoise, self.stepNoise) = (steps, startNoise, stepNoise)
        }
    }
}
