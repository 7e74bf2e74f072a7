import Archives
import Backbones
import Checkpoints
import Denoising
import Images
import Layers
import Tensors

/// Makes a trained model's products ones of 8-bit integers: weights with a scale for each output, inputs with one scale
/// each, learned from a few examples that the model runs on. The result is a checkpoint like any other.
///
/// A layer is quantised where its inputs and outputs are at least sixteen, and its input is many vectors at a time
/// (pixels, tokens) rather than one for an image. Depthwise convolutions, norms and what networks begin and end with
/// stay as they are.
public struct ModelQuantization: Sendable {
    /// Names of quantised weights, sorted.
    public let layers: [String]
    private let config: JSONValue
    private let source: String
    private let weights: [String: Tensor]
    private let quantized: [String: QuantizedWeights]

    /// A generative model, from samples that it draws.
    /// - Parameters:
    ///   - path: a checkpoint or a run's folder.
    ///   - recipe: how samples are drawn.
    ///   - count: samples to learn from.
    ///   - onStep: called after every image's step with the number of all of them; false stops.
    /// - Throws: as `LoadedModel` and `GenerationPlan`; `QuantizationError`; `CancellationError` when stopped.
    public init(
        generating path: String, recipe: SamplingRecipe, count: Int,
        onStep: (_ done: Int, _ total: Int) -> Bool
    ) throws {
        let checkpoint = try Checkpoint(path: path)
        let weights = checkpoint.weights
        try Self.demandPlain(path, weights)
        var configuration = try checkpoint.modelConfiguration()
        let (plain, folded) = configuration.model.folded(weights)
        configuration.model = plain
        let observed = Self.observed(folded)
        let model = try LoadedModel(
            path: path, configuration: configuration, weights: observed.weights, digest: checkpoint.digest)
        let plan = try GenerationPlan(
            model: model, recipe: recipe, seeds: SeedList(count: count, from: recipe.seed).seeds)
        var done = 0
        let isComplete = Generator(plan).run { event in
            guard case .step(let step) = event else { return true }
            done += step.items.count
            return onStep(done, count * plan.stepCount)
        }
        guard isComplete else { throw CancellationError() }
        try self.init(path, folded, observed.inputs, config: configuration.node.json) { weights in
            let model = try LoadedModel(
                path: path, configuration: configuration, weights: weights, digest: checkpoint.digest)
            let seeds = try SeedList(count: min(count, Self.comparedCount), from: recipe.seed).seeds
            var samples: [Float] = []
            try Generator(GenerationPlan(model: model, recipe: recipe, seeds: seeds)).run { event in
                if case .finished(_, let tensor) = event { samples += tensor.scalars }
                return true
            }
            return samples
        }
    }

    /// A denoiser, from clean images with noise of the levels it was trained for.
    /// - Parameters:
    ///   - path: a checkpoint, a run's folder, or published weights.
    ///   - images: files.
    ///   - sigmas: σ of the noise, on the 0–255 scale, from the first image to the last.
    ///   - onImage: called after every image; false stops.
    /// - Throws: as `DenoisingModel` and `ImageDenoiser`; `QuantizationError`; `CancellationError` when stopped.
    public init(
        denoising path: String, images: [String], sigmas: ClosedRange<Double>?, onImage: (Int) -> Bool
    ) throws {
        let model = try DenoisingModel(path: path)
        try Self.demandPlain(path, model.parameters)
        guard model.network.kernel.kind != .tunable else {
            throw QuantizationError(
                "\(path): has tunable kernels, which are other weights at every strength; quantise a model of fixed ones"
            )
        }
        guard let sigmas = sigmas ?? model.sigmas else {
            throw QuantizationError("\(path): does not say for which noise it was trained; give --sigma")
        }
        let (network, folded) = try model.network.folded(model.parameters)
        let observed = Self.observed(folded)
        func denoised(_ weights: [String: Tensor], _ place: Int) throws -> Image? {
            let share = images.count > 1 ? Double(place) / Double(images.count - 1) : 0.5
            let sigma = sigmas.lowerBound + share * (sigmas.upperBound - sigmas.lowerBound)
            let noise = AddedNoise(sigma: sigma, generator: CounterNoise(realisation: 1, image: place))
            let model = DenoisingModel(path: path, network: network, parameters: weights)
            return try ImageDenoiser(model, sigma: network.takesNoiseLevel ? .level(sigma) : nil)
                .denoise(Image(path: images[place]), noise: noise)?.image
        }
        for place in images.indices {
            _ = try denoised(observed.weights, place)
            guard onImage(place) else { throw CancellationError() }
        }
        var objective = RestorationObjectiveSettings()
        objective.noise = .gaussian(.init(sigma: LevelRange(sigmas.lowerBound, sigmas.upperBound)))
        let config = RestorationCheckpoint(
            model: RestorationModelSettings(network), objective: model.sigmas == nil ? nil : objective)
        try self.init(path, folded, observed.inputs, config: config.node.json) { weights in
            let distance = max(1, images.count / Self.comparedCount)
            return try stride(from: 0, to: images.count, by: distance).flatMap { place in
                try denoised(weights, place).map { Tensor($0).scalars } ?? []
            }
        }
    }

    /// - Parameter results: of the network with some weights, on a few of the examples.
    private init(
        _ source: String, _ weights: [String: Tensor], _ inputs: [String: ObservedInputs], config: JSONValue,
        results: ([String: Tensor]) throws -> [Float]
    ) throws {
        (self.source, self.weights, self.config) = (source, weights, config)
        let exact = try results(weights)
        var best: (error: Float, quantized: [String: QuantizedWeights])?
        for tailWeight in Self.tailWeights {
            let quantized = inputs.reduce(into: [String: QuantizedWeights]()) { result, entry in
                guard entry.value.rowsPerCall >= Self.fewestRows, let tensor = weights[entry.key]
                else { return }
                result[entry.key] = entry.value.quantized(tensor, tailWeight: tailWeight)
            }
            let error = zip(try results(weights.merging(quantized.mapValues(Tensor.init)) { $1 }), exact)
                .reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            if error < best?.error ?? .infinity { best = (error, quantized) }
        }
        quantized = best?.quantized ?? [:]
        guard !quantized.isEmpty else {
            throw QuantizationError("\(source): has no layer wide enough for integers to pay")
        }
        layers = quantized.keys.sorted()
    }

    /// Examples on which results are compared with those of the exact weights.
    private static let comparedCount = 4
    /// How much a network may care for its extremes; what is best shows in its results alone.
    private static let tailWeights = [1, 0.1, 0.01, 0.001]
    /// Inputs and outputs of the narrowest layer that gains.
    private static let fewestChannels = 16
    /// Vectors of the smallest input that gains.
    private static let fewestRows = 16

    private static func observed(_ weights: [String: Tensor]) -> (
        weights: [String: Tensor], inputs: [String: ObservedInputs]
    ) {
        let wide = weights.filter {
            let shape = $0.value.shape
            return [2, 4].contains(shape.rank) && shape[0] >= fewestChannels && shape[1] >= fewestChannels
        }
        let inputs = wide.mapValues { _ in ObservedInputs() }
        let watched = weights.map { name, tensor in
            (name, inputs[name].map { tensor.playing(.observed($0)) } ?? tensor)
        }
        return (Dictionary(uniqueKeysWithValues: watched), inputs)
    }

    private static func demandPlain(_ path: String, _ weights: [String: Tensor]) throws {
        guard weights.values.allSatisfy({ !$0.isQuantized }) else {
            throw QuantizationError("\(path): is quantised already; give the model it was made of")
        }
    }

    /// What a checkpoint holds.
    /// - Parameter type: of the tensors that are not quantised: float32, float16 or bfloat16.
    public func tensors(as type: StoredType) -> [StoredTensor] {
        weights.sorted { $0.key < $1.key }.flatMap { name, tensor in
            quantized[name]?.stored(name: name) ?? [StoredTensor(name: name, tensor).converted(to: type)]
        }
    }

    /// Writes the checkpoint; it appears whole or not at all.
    public func write(to path: String, as type: StoredType) throws {
        try Checkpoint.write(
            tensors(as: type).map { OutgoingTensor($0) }, config: config,
            metadata: ["source": splitPath(source).name, "quantization": "int8 in \(layers.count) layers"],
            to: path)
    }
}

/// A model that cannot be quantised as asked.
public struct QuantizationError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
