import Autoregression
import Backbones
import Layers
import Synchronization
import Tensors

/// How a masked autoregressive model draws images; the solver, its steps and the guidance beside it are those of the
/// head, which draws each token. The defaults are the published 256-pixel evaluation's.
public struct MaskedSamplingSettings: Settings, Hashable {
    public enum Ramp: String, Codable, CaseIterable, Sendable {
        /// The same guidance at every step.
        case constant
        /// From `firstGuidance` before the first step, rising evenly (LINA).
        case linear
        /// With the share of known tokens, from 1 (MAR).
        case known
    }

    /// Autoregressive steps; those without a token are left out.
    public var steps = 64
    /// How many tokens each step draws.
    public var schedule = MaskSchedule.rounded
    public var ramp = Ramp.linear
    public var firstGuidance = 1.0
    /// Factor on a token's noise: on what it begins as, and with solver ddpm on that of the steps instead (MAR).
    public var temperature = 1.0
    /// Of models that read prompts: a safetensors file with an embedded prompt `[tokens, width]` under each name;
    /// `classes` chooses among the names.
    public var prompts: String?
    /// SHA-256 of that file; another file is then an error.
    public var promptsDigest: String?

    public init() {}

    public static let defaults = MaskedSamplingSettings()

    public func validate() throws {
        try Self.require((1...100_000).contains(steps), "steps", "in 1…100000, found \(steps)")
        try Self.require(firstGuidance.isFinite, "firstGuidance", "a finite number, found \(firstGuidance)")
        try Self.require(
            temperature >= 0 && temperature.isFinite, "temperature", "at least 0, found \(temperature)")
    }

    /// - Throws: `ConfigurationError` when so many tokens cannot be drawn so.
    func check(tokens: Int) throws {
        guard schedule == .rounded || steps <= tokens else {
            throw ConfigurationError(
                field: "masked.steps",
                demand: "at most the \(tokens) tokens there are with schedule floored, found \(steps)")
        }
    }

    func guidanceRamp(_ scale: Double) -> GuidanceRamp {
        switch ramp {
        case .constant: .constant(scale)
        case .linear: .linear(start: firstGuidance, end: scale)
        case .known: .known(end: scale)
        }
    }
}

extension SamplerSettings {
    /// - Throws: `ConfigurationError` when guidance or clipping are not those of single tokens.
    func requireTokenwise() throws {
        var scale = GuidanceSettings()
        scale.scale = guidance.scale
        guard guidance == scale else {
            throw ConfigurationError(
                field: "guidance", demand: "a scale alone when tokens are drawn one by one")
        }
        guard clip == .none else {
            throw ConfigurationError(field: "clip", demand: "none when tokens are drawn one by one")
        }
    }
}

/// Draws images by masked autoregression: some tokens a step, in an order of each image's own.
struct MaskedSampler: ImageSampler {
    let model: LINA
    let settings: SamplerSettings
    private let masked: MaskedSamplingSettings
    private let head: any TokenSampler
    /// Guidance scale of each step.
    private let guidance: [Double]
    /// Nil for a model with classes.
    private let prompts: PromptFile?

    /// - Throws: `ConfigurationError` when the model cannot draw so.
    init(_ model: LINA, _ settings: SamplerSettings, objective: ObjectiveSettings) throws {
        self.model = model
        self.settings = settings
        masked = settings.masked ?? .defaults
        let count = model.tokenGrid.count
        try masked.check(tokens: count)
        let textSize = model.configuration.textSize
        guard textSize > 0 || masked.prompts == nil else {
            throw ConfigurationError(field: "masked.prompts", demand: "left out: the model has classes")
        }
        prompts = try masked.prompts.map { try PromptFile(path: $0, width: textSize) }
        head = try Self.tokenSampler(settings, objective: objective)
        let counts = masked.schedule.counts(tokens: count, steps: masked.steps)
        let remaining = counts.indices.map { count - counts[...$0].reduce(0, +) }
        guidance = masked.guidanceRamp(settings.guidance.scale).scales(
            steps: counts.count, tokens: count, remaining: remaining)
    }

    /// What draws a token: LINA's Euler steps for a flow, any solver of diffusion otherwise.
    static func tokenSampler(_ settings: SamplerSettings, objective: ObjectiveSettings) throws
        -> any TokenSampler
    {
        try settings.requireTokenwise()
        let method = try settings.method(for: objective)
        if case .flow(let flow) = objective, settings.churn == nil, settings.eta ?? 0 == 0,
            [.euler, .ddim].contains(settings.solver)
        {
            switch settings.schedule {
            case .native:
                return FlowTokenSampler(table: FlowTable(shift: flow.shift), stepCount: settings.steps)
            case .flow(let own):
                return FlowTokenSampler(table: FlowTable(shift: own.shift), stepCount: settings.steps)
            default: break
            }
        }
        return SolverTokenSampler(method: method, prediction: objective.prediction)
    }

    var stepCount: Int { guidance.count }

    var subjects: [String]? { model.configuration.textSize > 0 ? prompts?.names ?? [] : nil }

    var facts: [(name: String, value: String)] {
        var facts = [
            (
                "tokens",
                "\(model.tokenGrid.count) in \(stepCount) steps, \(masked.schedule.rawValue) cosine"
            ),
            ("solver", "\(settings.solver.rawValue), \(settings.steps) steps for each token"),
        ]
        if masked.temperature != 1 { facts.append(("temperature", "\(masked.temperature)")) }
        if settings.guidance.isOn {
            let start = masked.ramp == .linear ? " from \(masked.firstGuidance)" : ""
            facts.append(("ramp", masked.ramp.rawValue + start))
        }
        return facts
    }

    /// Each image is a run of its own on one thread, so that its bytes depend on nothing beside it.
    func samples(
        _ items: [GenerationPlan.Item], size: ImageSize, onStep: (ImageSamplerStep) throws -> Bool
    ) rethrows -> Tensor? {
        let runs = Mutex([MaskedRun.Iterator?](repeating: nil, count: items.count))
        let tokens = Mutex([Tensor?](repeating: nil, count: items.count))
        for step in 0..<stepCount {
            ComputeThreads.concurrently(items.count) { index in
                var run = runs.withLock { $0[index] } ?? makeRun(items[index]).makeIterator()
                let drawn = run.next()?.tokens
                runs.withLock { $0[index] = run }
                tokens.withLock { $0[index] = drawn ?? $0[index] }
            }
            let known = Tensor.concatenateSamples(tokens.withLock { $0.compactMap { $0 } })
            guard
                try onStep(ImageSamplerStep(index: step, count: stepCount) { [self] in image(of: known) })
            else { return nil }
        }
        return image(of: .concatenateSamples(tokens.withLock { $0.compactMap { $0 } }))
    }

    private func image(of tokens: Tensor) -> Tensor {
        PatchEmbedding.image(of: tokens, grid: model.tokenGrid, patchSize: model.configuration.patchSize)
    }

    private func condition(_ label: Int?) -> Tensor {
        guard model.configuration.textSize > 0 else { return model.condition(labels: [label]) }
        return model.condition(prompts: [label.flatMap { prompts?.prompts[$0] }])
    }

    private func makeRun(_ item: GenerationPlan.Item) -> MaskedRun {
        let seeds = [item.seed]
        let order = RandomStream(seed: item.seed).stream(named: "token order")
            .permutation(count: model.tokenGrid.count)
        let factor = Float(masked.temperature)
        let isAncestral = settings.solver == .ddpm
        return MaskedRun(
            model, sampler: head, condition: condition(item.label),
            reference: settings.guidance.isOn ? condition(nil) : nil,
            plan: masked.schedule.plan(orders: [order], steps: masked.steps), guidance: guidance
        ) { step, tokens in
            ScaledTokenNoise(
                SeededTokenNoise(seeds: seeds, step: step, tokens: tokens), start: isAncestral ? 1 : factor,
                steps: isAncestral ? factor : 1)
        }
    }
}
