import Autoregression
import Backbones
import Layers
import Tensors

/// A next-frequency model with its weights.
public struct NextFrequencyModel: ImageModel {
    public let configuration: NextFrequencyConfiguration
    public let network: any Denoiser
    public let tokenizer: OctaveTokenizer

    /// Builds the network on parameters taken from `scope`; the caller validates the store.
    ///
    /// Where the configuration does not say how large bands are, they count as of unit size.
    /// - Throws: `PyramidMismatch` when the sizes of the bands are those of other grids.
    public init(_ scope: Scope, _ configuration: NextFrequencyConfiguration) throws {
        self.configuration = configuration
        network = DiCo(scope, configuration.backbone)
        tokenizer = try OctaveTokenizer(
            grids: configuration.grids, channels: configuration.channels,
            normalization: configuration.normalization ?? configuration.unitNormalization)
    }

    public func trainingTask(_ configuration: TrainingConfiguration) -> any TrainingTask {
        let model = self.configuration
        return BandTask(
            network: network, objective: configuration.objective.makeObjective(), tokenizer: tokenizer,
            seat: model.seat, shares: model.levelShares.map { LevelShares($0) }, noise: model.contextNoise,
            seed: configuration.seed, labelDropout: model.classCount > 0 ? model.classDropout : 0)
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
        let facts = [
            ("solver", "\(settings.solver.rawValue), \(text) steps for each band"),
            ("bands", configuration.grids.map { "\($0)" }.joined(separator: ", ")),
        ]
        let model = self
        return LevelSampler(
            levelCount: try bands.levelCount(of: tokenizer.pyramid), facts: facts,
            kept: try KeptBands(bands, grid: tokenizer.pyramid.finest, channels: configuration.channels)
        ) { [sampling, noise] seed, label in
            sampling.session(
                model.network, seat: model.configuration.seat, tokenizer: model.tokenizer, noise: noise,
                seeds: [seed], labels: [label])
        }
    }
}

extension NextFrequencyConfiguration: ModelArchitecture {
    public var name: String { "next-frequency DiCo" }
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

    public var parameterShapes: [(name: String, shape: Shape)] { backbone.parameterShapes }

    public func stages(_ size: ImageSize) -> [ModelStage] {
        stageCosts.map {
            ModelStage(
                name: $0.stage, parameterCount: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates)
        }
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
