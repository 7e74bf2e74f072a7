import Autoregression
import Backbones
import Layers
import Tensors

/// A next-frequency model with its weights.
public struct NextFrequencyModel: ImageModel {
    public let configuration: NextFrequencyConfiguration
    public let network: any Denoiser
    /// Nil for the joint head.
    public let tokenNetwork: BandTokenNetwork?
    public let tokenizer: OctaveTokenizer

    /// Builds the network on parameters taken from `scope`; the caller validates the store.
    ///
    /// Where the configuration does not say how large bands are, they count as of unit size.
    /// - Throws: `PyramidMismatch` when the sizes of the bands are those of other grids.
    public init(_ scope: Scope, _ configuration: NextFrequencyConfiguration) throws {
        self.configuration = configuration
        let network = DiCo(scope, configuration.backbone)
        self.network = network
        tokenNetwork = configuration.head.token.map {
            BandTokenNetwork(scope, backbone: network, configuration, $0)
        }
        tokenizer = try OctaveTokenizer(
            grids: configuration.grids, channels: configuration.channels,
            normalization: configuration.normalization ?? configuration.unitNormalization)
    }

    public func trainingTask(_ configuration: TrainingConfiguration) -> any TrainingTask {
        let (model, seed) = (self.configuration, configuration.seed)
        let objective = configuration.objective.makeObjective()
        let learner: any BandLearner =
            if let tokenNetwork, let masking = model.head.token?.masking {
                TokenBandLearner(
                    network: tokenNetwork,
                    objective: MaskedDiffusionObjective(
                        head: objective, ratio: masking.ratio, repeats: masking.repeats), seed: seed)
            } else {
                JointBandLearner(network: network, seat: model.seat, objective: objective, seed: seed)
            }
        return BandTask(
            learner, tokenizer: tokenizer, shares: model.levelShares.map { LevelShares($0) },
            noise: model.contextNoise, seed: seed, labelDropout: model.classCount > 0 ? model.classDropout : 0
        )
    }

    public func imageSampler(_ settings: SamplerSettings, objective: ObjectiveSettings) throws
        -> any ImageSampler
    {
        let bands = settings.bands ?? BandSettings()
        let methods = try configuration.methods(settings, for: objective)
        let guidance = settings.guidance
        var sampling = BandSampling(
            methods, prediction: objective.prediction,
            guidance: LevelGuidance(strength: guidance.scale - 1, form: bands.guidance))
        if let form = guidance.guidance { sampling.guidanceForm = form }
        var noise = configuration.contextNoise
        noise.sampling = bands.contextNoise ?? noise.sampling
        let steps = methods.map { "\($0.grid.count - 1)" }
        let text = Set(steps).count == 1 ? steps[0] : steps.joined(separator: ", ")
        let drawn = tokenNetwork == nil ? "band" : "token"
        var facts = [
            ("solver", "\(settings.solver.rawValue), \(text) steps for each \(drawn)"),
            ("bands", configuration.grids.map { "\($0)" }.joined(separator: ", ")),
        ]
        let order = Self.tokenOrder(settings)
        if let tokenNetwork {
            let cells = "\(tokenNetwork.cell)×\(tokenNetwork.cell) places"
            facts.append(("tokens", "\(cells), in \(order.steps) steps for each band"))
        }
        return LevelSampler(
            levelCount: try bands.levelCount(of: tokenizer.pyramid), facts: facts,
            kept: try KeptBands(bands, grid: tokenizer.pyramid.finest, channels: configuration.channels),
            sessions: sessions(sampling, noise, order))
    }

    private func sessions(
        _ sampling: BandSampling, _ noise: ContextNoise, _ order: BandSampling.TokenOrder
    ) -> LevelSampler.Sessions {
        let (tokenizer, seat) = (tokenizer, configuration.seat)
        if let tokenNetwork {
            return .each { seed, label in
                sampling.session(
                    tokenNetwork, tokenizer: tokenizer, noise: noise, order: order, seeds: [seed],
                    labels: [label])
            }
        }
        let rows = RowwiseDenoiser(network)
        return .batch { seeds, labels in
            sampling.session(
                rows, seat: seat, tokenizer: tokenizer, noise: noise, seeds: seeds, labels: labels)
        }
    }
}

extension NextFrequencyModel {
    /// The temperature is on the noise of the steps where that is what the samples come from, as in MAR.
    private static func tokenOrder(_ settings: SamplerSettings) -> BandSampling.TokenOrder {
        let factor = Float(settings.bands?.temperature ?? 1)
        let isAncestral = settings.solver == .ddpm
        return BandSampling.TokenOrder(
            steps: settings.bands?.tokenSteps ?? 1, startNoise: isAncestral ? 1 : factor,
            stepNoise: isAncestral ? factor : 1)
    }
}

extension NextFrequencyConfiguration: ModelArchitecture {
    public var name: String {
        head == .joint ? "next-frequency DiCo" : "next-frequency DiCo with a token head"
    }
    public var inputChannels: Int { channels }
    public var labelDropout: Double { classDropout }
    public var sizeMultiple: Int { 1 }

    public var fixedSize: ImageSize? {
        grids.last.map { ImageSize(width: $0.width, height: $0.height) }
    }

    public func check(_ objective: ObjectiveSettings) throws {
        try objective.requireVariance(learned: learnSigma)
    }

    public func check(_ sampler: SamplerSettings, for objective: ObjectiveSettings) throws {
        _ = try methods(sampler, for: objective)
        _ = try (sampler.bands ?? BandSettings()).levelCount(of: FrequencyPyramid(.octaves(grids)))
    }

    /// Solver and noise levels of each level.
    /// - Throws: `ConfigurationError` when they do not go with bands.
    func methods(_ settings: SamplerSettings, for objective: ObjectiveSettings) throws -> [SamplingMethod] {
        try settings.requireNoGroup(but: [.bands])
        if head == .joint {
            try settings.bands?.requireNoTokens()
        } else {
            try settings.requireTokenwise()
        }
        guard settings.clip == .none else {
            throw ConfigurationError(
                field: "clip", demand: "none: bands have no range, only their sum has")
        }
        guard settings.guidance.channels == nil else {
            throw ConfigurationError(field: "guidance.channels", demand: "left out: bands are guided whole")
        }
        if let steps = settings.bands?.steps, steps.count != grids.count {
            throw ConfigurationError(
                field: "bands.steps",
                demand: "\(grids.count) numbers, one for each level, found \(steps.count)")
        }
        return try grids.indices.map { level in
            var settings = settings
            settings.steps = settings.bands?.steps?[level] ?? settings.steps
            return try settings.method(for: objective)
        }
    }

    public var parameterShapes: [(name: String, shape: Shape)] { backbone.parameterShapes + headShapes }

    /// Parameters of the token head.
    private var headShapes: [(name: String, shape: Shape)] {
        guard let settings = head.token else { return [] }
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = BandTokenNetwork.head(store.scope, self, settings)
        return store.shapes
    }

    public func stages(_ size: ImageSize) -> [ModelStage] {
        let stages = stageCosts.map {
            ModelStage(
                name: $0.stage, parameterCount: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates)
        }
        guard let cell = head.token?.cell else { return stages }
        // A token head sees every token of every level once.
        let tokens = grids.indices.reduce(0) { $0 + tokenGrid($1).count / (cell * cell) }
        let own = headShapes.map(\.shape)
        let products = own.filter { $0.rank == 2 }.reduce(0) { $0 + $1.elementCount }
        return stages + [
            ModelStage(
                name: BandTokenNetwork.headName,
                parameterCount: own.reduce(0) { $0 + $1.elementCount },
                multiplyAccumulates: tokens * products)
        ]
    }

    public func makeModel(_ scope: Scope) -> any ImageModel {
        do { return try NextFrequencyModel(scope, self) } catch {
            preconditionFailure("settings that were not validated: \(error)")
        }
    }

    /// Bands as they are.
    var unitNormalization: OctaveNormalization {
        OctaveNormalization(
            mean: Array(repeating: 0, count: channels),
            scales: grids.indices.map { Array(repeating: 1, count: $0 == 0 ? channels : 3 * channels) },
            contextScales: grids.map { _ in Array(repeating: 1, count: channels) })
    }
}
