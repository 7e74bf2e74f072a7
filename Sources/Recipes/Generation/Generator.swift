import Images
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
        /// A step of a batch was made.
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
        private let step: ImageSamplerStep

        init(items: Range<Int>, step: ImageSamplerStep) {
            self.items = items
            (index, count, self.step) = (step.index, step.count, step)
        }

        /// The images that the network expects at this point.
        public var previews: [Image] { Image.batch(step.preview()) }
    }

    /// Steps of all images together.
    public var stepTotal: Int { plan.items.count * plan.stepCount }

    /// - Parameter body: hears of every step and every finished batch; false stops.
    /// - Returns: whether the plan was carried out to its end.
    @discardableResult public func run(_ body: (Event) throws -> Bool) rethrows -> Bool {
        for first in stride(from: 0, to: plan.items.count, by: batchSize) {
            let range = first..<min(first + batchSize, plan.items.count)
            let samples = try plan.sampler.samples(Array(plan.items[range]), size: plan.size) { step in
                try body(.step(Step(items: range, step: step)))
            }
            guard let samples, try body(.finished(items: range, samples: samples)) else { return false }
        }
        return true
    }
}
