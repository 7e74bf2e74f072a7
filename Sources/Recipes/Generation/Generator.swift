import Diffusion
import Images
import Layers
import Tensors

/// Carries out a plan, some images at a time.
///
/// Image k depends on the checkpoint, the recipe and seed k alone: the same bytes at every batch size and number of
/// threads.
public struct Generator: Sendable {
    public let plan: GenerationPlan
    /// Images sampled together; only memory and the rhythm of results depend on it.
    public var batchSize: Int

    public init(_ plan: GenerationPlan, batchSize: Int = 16) {
        self.plan = plan
        self.batchSize = max(1, batchSize)
    }

    /// What happens on the way.
    public enum Event: Sendable {
        /// A solver step of a batch was made.
        case step(Step)
        /// A batch is finished.
        case finished(items: Range<Int>, samples: Tensor)
    }

    /// One step of one batch.
    public struct Step: Sendable {
        /// Positions in the plan.
        public let items: Range<Int>
        /// From 0.
        public let index: Int
        public let count: Int
        private let clean: Latent

        init(items: Range<Int>, step: SamplingStep) {
            self.items = items
            (index, count, clean) = (step.index, step.count, step.clean)
        }

        /// The images that the network expects at this point.
        public var previews: [Image] { Image.batch(clean.tensor) }
    }

    /// Steps of all images together.
    public var stepTotal: Int { plan.items.count * plan.stepCount }

    /// - Parameter body: hears of every step and every finished batch; false stops.
    /// - Returns: whether the plan was carried out to its end.
    @discardableResult public func run(_ body: (Event) throws -> Bool) rethrows -> Bool {
        for first in stride(from: 0, to: plan.items.count, by: batchSize) {
            let range = first..<min(first + batchSize, plan.items.count)
            let run = makeRun(range)
            var result = run.start
            for step in run {
                result = step.state
                guard try body(.step(Step(items: range, step: step))) else { return false }
            }
            guard try body(.finished(items: range, samples: result.tensor)) else { return false }
        }
        return true
    }

    private func makeRun(_ range: Range<Int>) -> SamplingRun {
        let items = plan.items[range]
        let prediction = plan.model.configuration.objective.prediction
        let network = NetworkModel(RowwiseDenoiser(plan.model.network), prediction: prediction)
        let sampler = plan.recipe.sampler
        let guided = GuidedModel(
            network, prediction: prediction, labels: items.map(\.label), guidance: sampler.guidance.guidance,
            clipping: sampler.clip.clipping)
        let noise = SeededNoise(seeds: items.map(\.seed))
        let shape = Shape([items.count, plan.size.height, plan.size.width, plan.channels])
        return SamplingRun(
            guided, solver: plan.method.solver, grid: plan.method.grid, path: plan.method.path, noise: noise,
            start: plan.method.startScale * noise.latent(draw: 0, shape: shape))
    }
}
