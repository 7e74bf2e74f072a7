import Autoregression
import Backbones
import Layers
import Tensors

/// How a LINA draws images. The defaults are those of the published 256-pixel evaluation.
public struct MaskedGeneration: Codable, Hashable, Sendable {
    /// Autoregressive steps; those without a token are left out.
    public var steps = 64
    /// Evaluations of the head for each token.
    public var headSteps = 25
    /// Guidance at the last step; 1 for none.
    public var guidance: Double = 2.4
    /// Guidance before the first step, from which it rises evenly.
    public var firstGuidance: Double = 1
    /// Shift of the head's noise levels.
    public var shift: Double = 1

    public init() {}

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        for (name, value) in [("steps", steps), ("headSteps", headSteps)] where value < 1 {
            throw ConfigurationError(field: name, demand: "at least 1, found \(value)")
        }
        for (name, value) in [("guidance", guidance), ("firstGuidance", firstGuidance)] where value < 1 {
            throw ConfigurationError(field: name, demand: "at least 1, found \(value)")
        }
        guard shift > 0 else { throw ConfigurationError(field: "shift", demand: "above 0, found \(shift)") }
    }

    /// The run that draws one image per seed. Order and noise of an image depend on its own seed alone.
    /// - Parameters:
    ///   - condition: the model's, of the labels or prompts.
    ///   - blank: the same without label or prompt; it is looked at only when there is guidance.
    public func run(_ model: LINA, condition: Tensor, blank: Tensor, seeds: [UInt64]) -> MaskedRun {
        let count = model.tokenGrid.count
        let orders = seeds.map {
            RandomStream(seed: $0).stream(named: "token order").permutation(count: count)
        }
        let plan = MaskSchedule.rounded.plan(orders: orders, steps: steps)
        let ramp = GuidanceRamp.linear(start: firstGuidance, end: guidance)
        let isGuided = guidance > 1 || firstGuidance > 1
        return MaskedRun(
            model, sampler: FlowTokenSampler(table: FlowTable(shift: shift), stepCount: headSteps),
            condition: condition, reference: isGuided ? blank : nil, plan: plan,
            guidance: ramp.scales(steps: plan.count, tokens: count, remaining: [])
        ) { step, tokens in SeededTokenNoise(seeds: seeds, step: step, tokens: tokens) }
    }

    /// Images or scaled latents `[N, H, W, C]` of classes; nil is "no class".
    public func images(_ model: LINA, labels: [Int?], seeds: [UInt64]) -> Tensor {
        let blank = model.condition(labels: Array(repeating: nil, count: labels.count))
        let tokens = run(model, condition: model.condition(labels: labels), blank: blank, seeds: seeds)
            .finished()
        return PatchEmbedding.image(
            of: tokens, grid: model.tokenGrid, patchSize: model.configuration.patchSize)
    }
}
