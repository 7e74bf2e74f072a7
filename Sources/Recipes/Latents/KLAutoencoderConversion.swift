import Archives
import Backbones
import Checkpoints
import Layers
import Tensors

/// Rewrites the weights of a published autoencoder of images as a checkpoint that describes itself.
///
/// Both naming schemes are read (diffusers', with the older names of its attention too, and latent diffusion's), told by
/// the names; the checkpoint keeps the one it found.
public struct KLAutoencoderConversion: Sendable {
    /// The names that `init` knows.
    public static var architectures: [String] { KLAutoencoderSettings.Preset.allCases.map(\.rawValue) }

    public let source: String
    /// What the checkpoint will say of itself.
    public let config: SettingsNode
    /// What stood before the names in the file; it is left out.
    public let prefix: String
    private let tensors: [StoredTensor]

    /// - Parameters:
    ///   - source: `.safetensors`, `.ckpt`, `.pth`, `.bin` or `.npz`. Beside the autoencoder it may hold others' tensors
    ///     (a discriminator, a whole latent diffusion model), which are left out.
    ///   - architecture: one of `architectures`; nil for a checkpoint converted before.
    ///   - overrides: settings of the architecture, as in `model.scale=0.2`.
    /// - Throws: `ParameterDifferences` when the tensors are not those of the architecture; errors of the file.
    public init(source: String, architecture: String?, overrides: [SettingsOverride]) throws {
        self.source = source
        let node: SettingsNode
        if let architecture {
            let yaml = "{model: {kind: klAutoencoder, preset: \(architecture)}}"
            node = try SettingsNode(yaml: yaml, name: "--architecture \(architecture)", hasLines: false)
        } else {
            let text = try Checkpoint(path: source).config?.text ?? "{}"
            node = try SettingsNode(yaml: text, name: "\(source): config", hasLines: false)
        }
        var configuration = try KLAutoencoderCheckpoint(node.applying(overrides)).model.configuration
        let (found, prefix) = Self.own(try WeightsFile.read(path: source))
        configuration.naming =
            found.contains { $0.name.contains("_blocks.") || $0.name.contains("mid_block.") }
            ? .diffusers : .latentDiffusion
        let expected = Dictionary(
            uniqueKeysWithValues: configuration.parameterShapes.map { ($0.name, $0.shape.extents) })
        tensors = found.map { Self.adapted($0, expected) }
        self.prefix = prefix
        config = KLAutoencoderCheckpoint(model: .klAutoencoder(configuration)).node
        try ParameterDifferences(
            file: source, model: architecture ?? "the autoencoder it describes", expected: expected,
            found: tensors
        ).check()
    }

    /// Whether a file is a converted autoencoder of this kind.
    public static func describes(_ source: String) -> Bool {
        (try? Checkpoint(path: source))?.config.map(KLAutoencoderCheckpoint.describes) ?? false
    }

    /// The autoencoder's tensors, averaged ones before plain ones, without what stands before their names.
    private static func own(_ stored: [StoredTensor]) -> ([StoredTensor], prefix: String) {
        let first = "encoder.conv_in.weight"
        let prefixes = stored.map(\.name).filter { $0.hasSuffix(first) }.map {
            String($0.dropLast(first.count))
        }
        let prefix = prefixes.min { one, other in
            let isAveraged = (one.contains("ema"), other.contains("ema"))
            return isAveraged.0 != isAveraged.1 ? isAveraged.0 : one.utf8.count < other.utf8.count
        }
        let parts = ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."]
        let own = stored.compactMap { tensor -> StoredTensor? in
            guard tensor.name.hasPrefix(prefix ?? "") else { return nil }
            var tensor = tensor
            tensor.name.removeFirst(prefix?.count ?? 0)
            return parts.contains(where: tensor.name.hasPrefix) ? tensor : nil
        }
        return (own, prefix ?? "")
    }

    /// Under the name that diffusers gives it today; a linear layer stored as a 1×1 convolution, or the other way round,
    /// in the shape needed.
    private static func adapted(_ tensor: StoredTensor, _ expected: [String: [Int]]) -> StoredTensor {
        var name = tensor.name
        for (old, new) in [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")]
        where name.contains(".attentions.") {
            name = name.replacing(".\(old).", with: ".\(new).")
        }
        func significant(_ shape: [Int]) -> [Int] {
            Array(shape.prefix(2)) + shape.dropFirst(2).filter { $0 != 1 }
        }
        let needed = expected[name] ?? tensor.shape
        let isSame = significant(needed) == significant(tensor.shape)
        return StoredTensor(
            name: name, shape: isSame ? needed : tensor.shape, type: tensor.type, bytes: tensor.bytes)
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
