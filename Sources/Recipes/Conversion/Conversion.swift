import Archives
import Backbones
import Checkpoints
import Layers
import Tensors

/// Rewrites weights of any readable file as a checkpoint that describes itself.
public struct Conversion: Sendable {
    public let source: String
    /// What the checkpoint will say of itself.
    public let configuration: CheckpointConfiguration
    /// What stood before the names in the file, as in `ema.`; they are left out.
    public let prefix: String
    private let tensors: [StoredTensor]

    /// - Parameters:
    ///   - source: `.safetensors`, `.pth`, `.pt` or `.npz`. Of a training's dictionary the averaged weights are taken.
    ///   - architecture: a published size; nil when the file describes itself.
    ///   - overrides: settings of the architecture, as in `model.inputChannels=3`.
    /// - Throws: `FileError`, `CheckpointFileError` when the file is unreadable, `ParameterDifferences` when its tensors
    ///   are not those of the architecture.
    public init(source: String, architecture: String?, overrides: [SettingsOverride]) throws {
        self.source = source
        let (stored, config) = try Self.read(source)
        if let architecture {
            configuration = try Self.configuration(architecture, overrides: overrides)
        } else if let config, config["model"] != nil {
            configuration = try CheckpointConfiguration(
                json: config.text, name: "\(source): config", overrides: overrides)
        } else {
            throw ConversionError(
                "\(source): does not say which network it is; name it with --architecture, as in dico-xl")
        }
        let expected = configuration.model.parameterShapes
        let prefix = Self.prefix(of: expected, in: stored)
        self.prefix = prefix
        tensors = stored.compactMap { tensor in
            guard tensor.name.hasPrefix(prefix), !Self.isTrainingState(tensor.name) else { return nil }
            var tensor = tensor
            tensor.name.removeFirst(prefix.count)
            return tensor
        }
        let model = architecture ?? configuration.model.name
        try ParameterDifferences(file: source, model: model, expected: expected, found: tensors).check()
    }

    /// Names of the published sizes.
    public static var architectures: [String] {
        (DiCoPreset.allCases.map(\.rawValue) + LINAPreset.allCases.map(\.rawValue)).sorted()
    }

    /// What a checkpoint of a published size says of itself.
    /// - Throws: `ConversionError` when there is no such size; errors of the overrides.
    public static func configuration(_ architecture: String, overrides: [SettingsOverride] = []) throws
        -> CheckpointConfiguration
    {
        let kind: String
        if DiCoPreset(rawValue: architecture) != nil {
            kind = "{model: {kind: dico, preset: \(architecture)}, objective: {kind: ddpm}}"
        } else if LINAPreset(rawValue: architecture) != nil {
            kind = "{model: {kind: lina, preset: \(architecture)}, objective: {kind: flow}}"
        } else {
            let known =
                architectures + KLAutoencoderConversion.architectures + NextFrequencyConversion.architectures
            let hint = nearestName(to: architecture, in: known).map { "did you mean \($0)?" }
            throw ConversionError(
                "there is no architecture \"\(architecture)\"; \(hint ?? "known are " + known.joined(separator: ", "))"
            )
        }
        let base = try SettingsNode(yaml: kind, name: "--architecture \(architecture)", hasLines: false)
        var configuration = try CheckpointConfiguration(base.applying(overrides))
        configuration.size = configuration.model.architecture.fixedSize ?? configuration.size
        return configuration
    }

    private static func read(_ path: String) throws -> ([StoredTensor], JSONValue?) {
        let isCheckpoint = try isFolder(path) || SafetensorsFile.isSafetensors(MappedFile(path: path).slice)
        if isCheckpoint {
            let checkpoint = try Checkpoint(path: path)
            return (checkpoint.tensors, checkpoint.config)
        }
        return (try WeightsFile.read(path: path), nil)
    }

    /// Averaged weights before plain ones, with and without what wrappers put before names.
    private static func prefix(of expected: [String: [Int]], in tensors: [StoredTensor]) -> String {
        let names = Set(tensors.map(\.name))
        let groups = ["ema.", "model_ema.", "ema_model.", "", "model.", "state_dict.", "net."]
        let candidates = groups.flatMap { group in ["", "module.", "_orig_mod."].map { group + $0 } }
        func matches(_ prefix: String) -> Int { expected.keys.count { names.contains(prefix + $0) } }
        let counted = candidates.map { ($0, matches($0)) }
        let most = counted.map(\.1).max() ?? 0
        return counted.first { $0.1 == most }?.0 ?? ""
    }

    /// What optimisers and trainers keep beside a network.
    private static func isTrainingState(_ name: String) -> Bool {
        ["opt.", "optimizer.", "scheduler.", "args."].contains { name.hasPrefix($0) }
    }

    public var parameterCount: Int { tensors.reduce(0) { $0 + $1.elementCount } }

    /// Writes the checkpoint; it appears whole or not at all.
    /// - Parameter type: how weights are stored: float32, float16 or bfloat16.
    public func write(to path: String, as type: StoredType) throws {
        let metadata = ["source": splitPath(source).name]
        try Checkpoint.write(
            tensors.map { OutgoingTensor($0.converted(to: type)) }, config: configuration.node.json,
            metadata: metadata, to: path)
    }
}

/// A conversion that cannot be made as asked.
public struct ConversionError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
