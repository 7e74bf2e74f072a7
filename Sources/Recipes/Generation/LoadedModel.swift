import Checkpoints
import Layers
import Tensors

/// A checkpoint with the network rebuilt around its weights.
public struct LoadedModel: Sendable {
    /// As the user named it: a file, or a run's folder.
    public let path: String
    public let configuration: CheckpointConfiguration
    public let network: any ImageModel
    /// SHA-256 of the weights.
    public let digest: String
    public let parameterCount: Int
    /// Layers that multiply 8-bit integers.
    public let integerLayerCount: Int

    /// - Parameter precision: of the network's products; float32 where the processor has it not.
    /// - Throws: `FileError`, `CheckpointFileError` when there is no sound checkpoint at `path`, it does not say what
    ///   network it belongs to, or its tensors do not fit that network; `SettingsError` for a damaged configuration.
    public init(path: String, precision: ProductPrecision = .float32) throws {
        let checkpoint = try Checkpoint(path: path)
        let configuration = try checkpoint.modelConfiguration()
        try self.init(
            path: path, configuration: configuration, weights: checkpoint.weights, digest: checkpoint.digest,
            precision: precision)
    }

    /// - Throws: `CheckpointFileError` when the weights do not fit the network.
    public init(
        path: String, configuration: CheckpointConfiguration, weights: [String: Tensor], digest: String,
        precision: ProductPrecision = .float32
    ) throws {
        let store = ParameterStore(.loaded(weights), isTracked: false, precision: precision)
        let trained = configuration.model.makeModel(store.scope)
        do { try store.validate() } catch let error as ParameterMismatch {
            throw CheckpointFileError(
                file: path, problem: "does not fit the \(configuration.model.name) it describes: \(error)")
        }
        let (plain, folded) = configuration.model.folded(weights)
        network =
            plain == configuration.model
            ? trained
            : plain.makeModel(
                ParameterStore(.loaded(folded), isTracked: false, precision: precision).scope)
        self.path = path
        self.configuration = configuration
        self.digest = digest
        parameterCount = store.scalarCount
        integerLayerCount = folded.values.count { $0.isQuantized }
    }

    /// The label of a class by its name or number; nil for `none`.
    /// - Throws: `GenerationError` with the classes there are.
    public func label(_ text: String) throws -> Int? {
        let (count, names) = (configuration.model.classCount, configuration.classes)
        guard text != "none" else {
            guard configuration.model.canDropLabels || count == 0 else {
                throw GenerationError(
                    "\(path): was not trained without classes, so there is no class \"none\"")
            }
            return nil
        }
        guard count > 0 else {
            throw GenerationError("\(path): has no classes; leave out --class, found \"\(text)\"")
        }
        if let index = names.firstIndex(of: text) { return index }
        if let number = Int(text), (0..<count).contains(number) { return number }
        let known =
            names.isEmpty
            ? "give a number in 0…\(count - 1)"
            : "known are " + names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        let hint = nearestName(to: text, in: names).map { "did you mean \"\($0)\"?" } ?? known
        throw GenerationError("\(path): has no class \"\(text)\"; \(hint)")
    }

    /// What people call a label.
    public func className(_ label: Int?) -> String {
        guard let label else { return "none" }
        return configuration.classes.indices.contains(label) ? configuration.classes[label] : "\(label)"
    }
}

extension Checkpoint {
    /// What the checkpoint says of itself.
    /// - Throws: `CheckpointFileError` when it says nothing of a model, `SettingsError` when what it says is damaged.
    func modelConfiguration(_ overrides: [SettingsOverride] = []) throws -> CheckpointConfiguration {
        guard let config, config["model"] != nil else {
            throw CheckpointFileError(
                file: path,
                problem:
                    "does not say which network it is; rewrite it with sfumato convert and --architecture")
        }
        return try CheckpointConfiguration(json: config.text, name: "\(path): config", overrides: overrides)
    }
}

/// Samples that cannot be made as asked: says of what, why, and what to do.
public struct GenerationError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
