import Autoregression
import Backbones
import Checkpoints
import Layers
import Tensors
import Training

/// Either predictor of codes.
enum TokenPredictor: Sendable {
    case scaleMarkov(ScaleMarkov)
    case transformer(VAR)

    var level: any LevelPredictor {
        switch self {
        case .scaleMarkov(let model): model
        case .transformer(let model): model
        }
    }

    /// The cross-entropy of every token, level by level; each `[N·h·w]`.
    /// - Parameters:
    ///   - inputs: what the levels before add up to at each level's size, from the second on.
    ///   - indices: codes per level, row by row, sample after sample.
    func losses(inputs: [Tensor], indices: [[Int]], labels: [Int?], smoothing: Float) -> [Tensor] {
        switch self {
        case .scaleMarkov(let model):
            return indices.indices.map { level in
                model(level == 0 ? nil : inputs[level - 1], level: level, labels: labels)
                    .crossEntropy(indices[level], smoothing: smoothing)
            }
        case .transformer(let model):
            let rows = inputs.map { $0.reshaped([$0.shape[0], $0.shape[1] * $0.shape[2], $0.shape[3]]) }
            let logits = model(rows.isEmpty ? nil : .concatenateTokens(rows), labels: labels)
            return model.configuration.ranges.enumerated().map { level, range in
                logits.tokens(range).crossEntropy(indices[level], smoothing: smoothing)
            }
        }
    }
}

/// A next-frequency model of codes with its weights and those of its tokenizer.
public struct TokenModel: ImageModel {
    public let configuration: TokenModelConfiguration
    public let tokenizer: FRVAE
    let predictor: TokenPredictor
    /// What stands before the tokenizer's names in a checkpoint.
    public static let tokenizerName = "tokenizer"

    /// Parameters of the predictor at the root, those of the tokenizer under `tokenizer.`, where nothing learns them.
    /// - Throws: `ConfigurationError` for a tokenizer that cannot be.
    public init(_ scope: Scope, _ configuration: TokenModelConfiguration) throws {
        self.configuration = configuration
        predictor = configuration.makePredictor(scope)
        tokenizer = try FRVAE(scope / Self.tokenizerName, configuration.tokenizer)
    }

    public func trainingTask(_ configuration: TrainingConfiguration) -> any TrainingTask {
        TokenTask(
            model: self, seed: configuration.seed,
            labelDropout: self.configuration.classCount > 0 ? self.configuration.classDropout : 0)
    }

    public func imageSampler(_ settings: SamplerSettings, objective: ObjectiveSettings) throws
        -> any ImageSampler
    {
        try configuration.check(settings, for: objective)
        let bands = settings.bands ?? BandSettings()
        let codes = settings.codes ?? TokenSamplingSettings()
        let sampling = CategoricalSampling(
            guidance: LevelGuidance(strength: settings.guidance.scale - 1, form: bands.guidance),
            filter: codes.filter, isSmooth: codes.isSmooth)
        let pyramid = tokenizer.quantizer.pyramid
        let (tokenizer, predictor) = (tokenizer, predictor.level)
        let facts = [
            ("codes", codes.description),
            ("bands", pyramid.grids.map { "\($0)" }.joined(separator: ", ")),
        ]
        return LevelSampler(
            levelCount: try bands.levelCount(of: pyramid), facts: facts,
            kept: try KeptBands(bands, grid: tokenizer.imageSize, channels: configuration.inputChannels),
            source: { tokenizer.codec.encode($0).detached },
            sessions: .each { seed, label in
                CategoricalSession(
                    predictor, quantizer: tokenizer.quantizer, labels: [label], settings: sampling,
                    randomness: SeededTokenRandomness(seeds: [seed]), decode: tokenizer.decode)
            })
    }
}

/// What a model of codes learns from a batch: the codes of every level, from the sum of those before and the label.
///
/// Everything random depends on (seed, step, place in the step's batch) only, as in `DiffusionTask`.
struct TokenTask: TrainingTask {
    let model: TokenModel
    let seed: UInt64
    let labelDropout: Double

    func evaluate(_ batch: ImageBatch, step: Int, first: Int) -> BatchEvaluation {
        let quantizer = model.tokenizer.quantizer
        let codes = quantizer.quantize(model.tokenizer.codec.encode(batch.images).detached)
        let inputs = codes.accumulated.enumerated().compactMap { level, sum in
            quantizer.nextInput(sum, after: level)
        }
        let dropout = RandomStream(seed: seed).stream(named: "label dropout").stream(UInt64(step))
        let labels = batch.labels.enumerated().map { index, label in
            labelDropout > 0 && dropout.uniformDouble(at: UInt64(first + index)) < labelDropout ? nil : label
        }
        let losses = model.predictor.losses(
            inputs: inputs, indices: codes.indices, labels: labels,
            smoothing: Float(model.configuration.smoothing))
        let sum = losses.dropFirst().reduce(losses[0].sum()) { $0 + $1.sum() }
        let total = sum * (1 / Float(max(1, codes.indices.map(\.count).reduce(0, +))))
        var parts: [String: Double] = [:]
        for (level, loss) in losses.enumerated() { parts["level \(level + 1)"] = Double(loss.mean().item) }
        return BatchEvaluation(loss: Double(total.item), parts: parts, gradients: total.gradients())
    }
}

extension TokenSamplingSettings {
    var description: String {
        var parts: [String] = []
        if topK > 0 { parts.append("the \(topK) most probable") }
        if topP > 0 { parts.append("those of probability \(topP)") }
        if isSmooth { parts.append("mixed smoothly") }
        return parts.isEmpty ? "all" : parts.joined(separator: ", ")
    }
}

extension TokenModelConfiguration {
    /// Gives the tokenizer's tensors of a fresh model the weights they are trained against.
    /// - Throws: `ConfigurationError` when no weights are named; `CheckpointFileError` when they are those of another
    ///   tokenizer; errors of the file.
    func loadTokenizer(into store: ParameterStore) throws {
        guard let path = tokenizerWeights else {
            throw ConfigurationError(
                field: "model.tokenizerWeights",
                demand: "given: the checkpoint of the autoencoder whose codes are to be learned")
        }
        let loaded = try LoadedAutoencoder(path: path)
        do {
            try FrequencyPyramid(tokenizer.quantizer.pyramid).requireSame(
                as: loaded.model.quantizer.pyramid, this: "model.tokenizer", that: "the checkpoint")
        } catch let error as PyramidMismatch {
            throw CheckpointFileError(file: path, problem: "is another tokenizer: \(error)")
        }
        guard loaded.configuration == tokenizer else {
            let changes = SettingsNode.differences(loaded.configuration.node, tokenizer.node).prefix(4)
            throw CheckpointFileError(
                file: path,
                problem: "is another tokenizer than model.tokenizer: " + changes.joined(separator: ", "))
        }
        for (name, tensor) in loaded.weights { store[TokenModel.tokenizerName + "." + name]?.assign(tensor) }
    }
}
