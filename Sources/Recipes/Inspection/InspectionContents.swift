import Archives
import Backbones
import Checkpoints
import Layers
import Tensors

extension Inspection {
    /// What there is to look at: a configuration alone, or weights with it.
    struct Contents {
        var subject: Subject
        var tensors: [StoredTensor] = []
        var fileBytes: Int?
        var digest: String?
        var metadata: [String: String] = [:]

        /// - Parameter training: a file of `configs/`.
        init(training node: SettingsNode) throws {
            if RestorationConfiguration.describes(node) {
                try self.init(denoiser: RestorationConfiguration(node))
            } else if AutoencoderConfiguration.describes(node) {
                try self.init(autoencoder: AutoencoderConfiguration(node))
            } else {
                try self.init(generator: TrainingConfiguration(node))
            }
        }

        init(autoencoder training: AutoencoderConfiguration) {
            subject = .autoencoder(AutoencoderCheckpoint(model: training.model, training: training))
        }

        init(generator training: TrainingConfiguration) {
            var configuration = CheckpointConfiguration(model: training.model)
            configuration.objective = training.objective
            configuration.size = training.data.size
            subject = .generator(configuration)
        }

        init(denoiser training: RestorationConfiguration) {
            let checkpoint = RestorationCheckpoint(
                model: training.model, objective: training.objective, training: training)
            subject = .denoiser(checkpoint, sigmas: training.objective.noise?.sigmas)
        }

        /// - Throws: `CheckpointFileError` for weights that belong to no network known here, or do not fit the one
        ///   they describe.
        init(weights path: String, _ overrides: [SettingsOverride]) throws {
            let weights = try DenoiserWeights(path: path)
            if let config = weights.config, config["model"] != nil {
                let node = try SettingsNode(yaml: config.text, name: "\(path): config", hasLines: false)
                if RestorationConfiguration.describes(node) {
                    try self.init(denoiser: path, RestorationCheckpoint(node.applying(overrides)))
                } else if AutoencoderConfiguration.describes(node) {
                    try self.init(autoencoder: path, AutoencoderCheckpoint(node.applying(overrides)))
                } else if KLAutoencoderCheckpoint.describes(config) {
                    let checkpoint = try KLAutoencoderCheckpoint(node.applying(overrides))
                    try self.init(imageAutoencoder: path, checkpoint, weights.tensors)
                } else {
                    try self.init(generator: Checkpoint(path: path), path, overrides)
                }
            } else if let checkpoint = weights.checkpoint, !RestorationConversion.recognizes(path) {
                // Says that the file does not tell its network.
                try self.init(generator: checkpoint, path, overrides)
            } else {
                guard overrides.isEmpty else {
                    throw CheckpointFileError(
                        file: path,
                        problem: "has no settings of its own that could be changed; leave out --set")
                }
                try self.init(denoiser: path, nil)
            }
            fileBytes =
                weights.checkpoint?.weightByteCount ?? weights.tensors.reduce(0) { $0 + $1.bytes.count }
            digest = weights.checkpoint?.digest
            metadata = weights.checkpoint?.metadata ?? [:]
        }

        private init(generator checkpoint: Checkpoint, _ path: String, _ overrides: [SettingsOverride]) throws
        {
            let configuration = try checkpoint.modelConfiguration(overrides)
            try ParameterDifferences(
                file: path, model: "the \(configuration.model.name) it describes",
                expected: configuration.model.parameterShapes, found: checkpoint.tensors
            ).check()
            subject = .generator(configuration)
            tensors = checkpoint.tensors
        }

        private init(autoencoder path: String, _ configuration: AutoencoderCheckpoint) throws {
            _ = try LoadedAutoencoder(path: path)
            subject = .autoencoder(configuration)
            // A run's state holds the discriminator as well.
            tensors = try Checkpoint(path: path).tensors.filter {
                !$0.name.hasPrefix(AutoencoderRun.discriminatorPrefix)
            }
        }

        private init(
            imageAutoencoder path: String, _ checkpoint: KLAutoencoderCheckpoint, _ tensors: [StoredTensor]
        )
            throws
        {
            _ = try LoadedKLAutoencoder(path: path)
            subject = .imageAutoencoder(checkpoint)
            self.tensors = tensors
        }

        /// - Parameter configuration: nil where names and shapes tell the network.
        private init(denoiser path: String, _ configuration: RestorationCheckpoint?) throws {
            let model = try DenoisingModel(path: path)
            let description =
                configuration ?? RestorationCheckpoint(model: RestorationModelSettings(model.network))
            subject = .denoiser(description, sigmas: model.sigmas)
            // Renumbered as the network has them.
            tensors = model.parameters.sorted { $0.key < $1.key }.map { StoredTensor(name: $0.key, $0.value) }
            // What looks like a network may lack parts of it.
            _ = try model.makeRestorer(tuning: nil)
        }
    }
}

extension Inspection.Subject {
    /// What people call the network.
    var name: String {
        switch self {
        case .generator(let configuration): configuration.model.name
        case .denoiser(let configuration, _): configuration.model.name
        case .autoencoder(let configuration): configuration.model.name
        case .imageAutoencoder: "KL autoencoder"
        }
    }

    var node: SettingsNode {
        switch self {
        case .generator(let configuration): configuration.node
        case .denoiser(let configuration, _): configuration.node
        case .autoencoder(let configuration): configuration.node
        case .imageAutoencoder(let configuration): configuration.node
        }
    }

    /// What costs are counted for when nobody says: the training's images or crops, 256×256 for published denoisers.
    var usualSize: ImageSize {
        switch self {
        case .generator(let configuration): configuration.size
        case .denoiser(let configuration, _): configuration.training?.data.size ?? ImageSize(256)
        case .autoencoder(let configuration): configuration.model.frvae.fixedSize
        case .imageAutoencoder: ImageSize(256)
        }
    }

    func stageName(of parameter: String) -> String {
        switch self {
        case .generator, .autoencoder, .imageAutoencoder: String(parameter.prefix { $0 != "." })
        case .denoiser(let configuration, _): configuration.model.network.stageName(of: parameter)
        }
    }

    /// - Throws: `SettingsError` when the network cannot take images of that size.
    func costs(_ size: ImageSize, origin: String) throws -> [ModelStage] {
        switch self {
        case .generator(let configuration):
            try configuration.model.check(size, origin: origin, key: "size")
            return configuration.model.stages(size)
        case .denoiser(let configuration, _):
            return configuration.model.network.stageCosts(height: size.height, width: size.width).map {
                ModelStage(
                    name: $0.name, parameterCount: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates)
            }
        case .autoencoder(let configuration):
            let model = configuration.model.frvae
            guard size == model.fixedSize else {
                throw SettingsError(
                    origin: origin, key: "size",
                    problem: "must be \(model.fixedSize) for this FR-VAE, found \(size)")
            }
            return try model.stages()
        case .imageAutoencoder(let checkpoint):
            let configuration = checkpoint.model.configuration
            let multiple = configuration.stride
            guard size.width % multiple == 0, size.height % multiple == 0 else {
                throw SettingsError(
                    origin: origin, key: "size",
                    problem: "must have sides that are multiples of \(multiple), found \(size)")
            }
            return configuration.stageCosts(height: size.height, width: size.width).map {
                ModelStage(
                    name: $0.stage, parameterCount: $0.parameters, multiplyAccumulates: $0.multiplyAccumulates
                )
            }
        }
    }

    /// Lines for people beside sizes and costs.
    func facts(_ size: ImageSize) -> [String] {
        switch self {
        case .generator(let configuration):
            return configuration.classes.isEmpty
                ? [] : ["classes     \(configuration.classes.joined(separator: ", "))"]
        case .autoencoder(let configuration):
            let quantizer = configuration.model.frvae.quantizer
            let grids = quantizer.pyramid.grids
            return [
                "codes       \(grids.map(\.count).reduce(0, +)) of \(quantizer.vocabulary), grids "
                    + grids.map { "\($0)" }.joined(separator: ", ")
            ]
        case .imageAutoencoder(let checkpoint):
            let configuration = checkpoint.model.configuration
            return [
                "latents     \(size.width / configuration.stride)×\(size.height / configuration.stride), "
                    + "\(configuration.latentChannels) channels, times \(configuration.scale)"
            ]
        case .denoiser(let configuration, let sigmas):
            let network = configuration.model.network
            let features = size.width * size.height * network.featureWidth * 4
            let told = network.takesNoiseLevel ? "told its level" : "not told its level"
            let range = sigmas.map { range in
                range.lowerBound == range.upperBound
                    ? "σ \(TextTable.fixed(range.lowerBound, digits: 0)), "
                    : "σ \(TextTable.fixed(range.lowerBound, digits: 0))…\(TextTable.fixed(range.upperBound, digits: 0)), "
            }
            return [
                "images      \(network.imageChannels == 1 ? "grey" : "colour"), any size",
                "noise       \(range ?? "")\(told)",
                "kernel      \(network.kernel.summary)",
                "features    \(TextTable.bytes(features)) in the largest layer at this size",
                "reach       \(network.receptiveRadius) pixels each way"
                    + (network.hasGlobalMeans ? ", and means over the whole image" : ""),
            ]
        }
    }
}

extension ConvolutionKernel {
    /// For people.
    var summary: String {
        switch self {
        case .standard: "standard"
        case .weighted(let density):
            "weighted by a \(density.isTrainable ? "trained" : "fixed") density of "
                + "\(density.kernelSize)×\(density.kernelSize)"
        case .tunable(let mixing): "tunable by \(mixing.parameterCount) values"
        }
    }
}

extension NoiseSettings {
    /// The levels of Gaussian noise; nil for other noise.
    var sigmas: ClosedRange<Double>? {
        guard case .gaussian(let settings) = self else { return nil }
        return settings.sigma.interval.low...settings.sigma.interval.high
    }
}
