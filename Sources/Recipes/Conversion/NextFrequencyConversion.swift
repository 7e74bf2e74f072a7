import Archives
import Autoregression
import Backbones
import Checkpoints
import Layers
import Tensors

/// Rewrites the released weights of VAR and of its tokenizer (FoundationVision/VAR), or an autoencoder trained here, as
/// a checkpoint that describes itself.
///
/// A transformer is joined with its tokenizer, so that one file draws images.
public struct NextFrequencyConversion: Sendable {
    /// The released tokenizer.
    public static let tokenizerName = "vae-ch160v4096z32"
    /// The names that `init` knows.
    public static var architectures: [String] { VARConfiguration.presets.keys.sorted() + [tokenizerName] }

    public let source: String
    /// What the checkpoint will say of itself.
    public let config: SettingsNode
    /// What stood before the names in the file; it is left out.
    public let prefix: String
    private let tensors: [StoredTensor]

    /// - Parameters:
    ///   - source: `.pth` as released, or any other readable file with its names; what a training nests them under
    ///     (`trainer.var_wo_ddp.`, `trainer.vae_local.`) is left out.
    ///   - architecture: one of `architectures`.
    ///   - tokenizer: the tokenizer's weights, for a transformer.
    ///   - overrides: settings of the architecture.
    /// - Throws: `ConversionError` without a tokenizer; `ParameterDifferences` when the tensors are not those of the
    ///   architecture; `ConfigurationError` when the file was made for other levels; errors of the files.
    public init(
        source: String, architecture: String, tokenizer: String?, overrides: [SettingsOverride]
    ) throws {
        self.source = source
        guard let preset = VARConfiguration.presets[architecture] else {
            guard tokenizer == nil else {
                throw ConversionError("\(architecture) is a tokenizer itself; leave out --tokenizer")
            }
            let model = AutoencoderCheckpoint(model: .frvae(.released)).node
            let checkpoint = try AutoencoderCheckpoint(model.applying(overrides))
            config = checkpoint.node
            (tensors, prefix) = try Self.autoencoder(
                source, checkpoint.model.frvae, model: architecture)
            return
        }
        guard let tokenizer else {
            throw ConversionError(
                "\(architecture) draws codes, which only its tokenizer can decode; give its weights with --tokenizer, "
                    + "as in vae_ch160v4096z32.pth")
        }
        var checkpoint = try CheckpointConfiguration(Self.node(preset).applying(overrides))
        guard case .nextFrequencyTokens(let model) = checkpoint.model,
            case .transformer(let settings) = model.predictor
        else { throw ConversionError("\(architecture) is a transformer; leave out settings of another kind") }
        checkpoint.size = model.fixedSize ?? checkpoint.size
        config = checkpoint.node
        let own: [StoredTensor]
        (own, prefix) = try Self.transformer(source, model.transformer(settings), model: architecture)
        let codec = try Self.autoencoder(tokenizer, model.tokenizer, model: Self.tokenizerName).tensors
        tensors = own + codec.map { $0.renamed(TokenModel.tokenizerName + "." + $0.name) }
    }

    /// - Parameter autoencoder: the run's folder, or the checkpoint, of an autoencoder trained here.
    public init(autoencoder source: String) throws {
        self.source = source
        let checkpoint = try Checkpoint(path: source)
        let text = checkpoint.config?.text ?? ""
        config = try AutoencoderCheckpoint(json: text, name: "\(source): config").node
        _ = try LoadedAutoencoder(path: source)
        tensors = checkpoint.tensors.filter { !$0.name.hasPrefix(AutoencoderRun.discriminatorPrefix) }
        prefix = ""
    }

    /// Whether a file or folder is an autoencoder trained here.
    public static func isAutoencoder(_ source: String) -> Bool {
        guard let kind = (try? Checkpoint(path: source))?.config?["model"]?["kind"]?.string else {
            return false
        }
        return AutoencoderModelSettings.Kind(rawValue: kind) != nil
    }

    private static func node(_ preset: VARConfiguration) -> SettingsNode {
        var tokenizer = FRVAEConfiguration.released
        tokenizer.quantizer.pyramid.grids = preset.grids
        let settings = TransformerSettings(depth: preset.depth, sharesModulation: preset.sharesModulation)
        var model = TokenModelConfiguration(tokenizer: tokenizer, predictor: .transformer(settings))
        model.classCount = preset.classCount
        return CheckpointConfiguration(model: .nextFrequencyTokens(model)).node
    }

    private static func transformer(_ path: String, _ configuration: VARConfiguration, model: String) throws
        -> ([StoredTensor], prefix: String)
    {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = VAR(store.scope, configuration)
        var expected = Dictionary(uniqueKeysWithValues: store.shapes.map { ($0.name, $0.shape.extents) })
        let (found, prefix) = try read(path, expected)
        let tables = VARCheckpoint.tables(configuration)
        // Other programs may have dropped what can be rebuilt.
        for (name, shape) in tables where found.contains(where: { $0.name == name }) {
            expected[name] = shape.extents
        }
        try ParameterDifferences(file: path, model: model, expected: expected, found: found).check()
        let names = Set(tables.map(\.name))
        let stored = found.filter { names.contains($0.name) }
        _ = try VARCheckpoint.parameters(
            of: Dictionary(uniqueKeysWithValues: stored.map { ($0.name, $0.tensor) }), configuration,
            name: path)
        return (found.filter { !names.contains($0.name) }, prefix)
    }

    private static func autoencoder(_ path: String, _ configuration: FRVAEConfiguration, model: String) throws
        -> (tensors: [StoredTensor], prefix: String)
    {
        let shapes = try configuration.parameterShapes()
        var expected = Dictionary(uniqueKeysWithValues: shapes.map { ($0.name, $0.shape.extents) })
        var (found, prefix) = try read(path, expected)
        // Counts of the training, for as many levels as it had.
        let usage = "quantize.ema_vocab_hit_SV"
        if found.first(where: { $0.name == usage })?.shape != expected[usage] {
            found.removeAll { $0.name == usage }
            expected[usage] = nil
        }
        try ParameterDifferences(file: path, model: model, expected: expected, found: found).check()
        return (found, prefix)
    }

    /// The tensors of a file under the names an architecture has.
    private static func read(_ path: String, _ expected: [String: [Int]]) throws -> ([StoredTensor], String) {
        let stored = try WeightsFile.read(path: path)
        let names = Set(stored.map(\.name))
        let prefixes = ["", "trainer.var_wo_ddp.", "trainer.vae_local."].flatMap { outer in
            ["", "module.", "_orig_mod."].map { outer + $0 }
        }
        let counts = prefixes.map { prefix in expected.keys.count { names.contains(prefix + $0) } }
        let best = counts.indices.max { counts[$0] < counts[$1] || counts[$0] == counts[$1] && $0 > $1 } ?? 0
        let prefix = prefixes[best]
        let own = stored.filter { $0.name.hasPrefix(prefix) }
        return (own.map { $0.renamed(String($0.name.dropFirst(prefix.count))) }, prefix)
    }

    public var parameterCount: Int { tensors.reduce(0) { $0 + $1.elementCount } }

    /// Writes the checkpoint; it appears whole or not at all.
    /// - Parameter type: how weights are stored: float32, float16 or bfloat16.
    public func write(to path: String, as type: StoredType) throws {
        try Checkpoint.write(
            tensors.map { OutgoingTensor($0.converted(to: type)) }, config: config.json,
            metadata: ["source": splitPath(source).name], to: path)
    }
}

extension StoredTensor {
    fileprivate func renamed(_ name: String) -> StoredTensor {
        var tensor = self
        tensor.name = name
        return tensor
    }
}
