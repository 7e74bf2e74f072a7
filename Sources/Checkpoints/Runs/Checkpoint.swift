import Archives
import Tensors

/// A trained model in one file: weights and the configuration that rebuilds the network around them.
///
/// A safetensors file whose metadata carries `format: sfumato`, `config` (JSON) and `weights.sha256`, so that
/// every command needs only the file. The state of a training run can be opened as a checkpoint too: its
/// averaged weights are taken, or the plain ones where none are kept.
public struct Checkpoint: Sendable {
    public static let format = "sfumato"

    public let path: String
    /// Nil for a foreign file that carries none.
    public let config: JSONValue?
    /// Every text of the file's metadata.
    public let metadata: [String: String]
    /// Under the names the network gives them; of quantised weights the numbers that they stand for.
    public let tensors: [StoredTensor]
    /// Weights that multiply as 8-bit integers.
    public let quantized: [String: QuantizedWeights]
    /// Bytes of these weights as the file has them.
    public let weightByteCount: Int
    private let file: SafetensorsFile

    /// - Parameter path: a safetensors file, or a run folder, whose newest state is taken.
    /// - Throws: `FileError` when nothing can be read there, `CheckpointFileError` when it is no sound checkpoint.
    public init(path: String) throws {
        let isFolder = fileExists(joinPath(path, "."))
        let path = isFolder ? try RunFolder(path: path).newestStatePath() : path
        file = try SafetensorsFile(path: path)
        self.path = path
        metadata = file.metadata
        do { config = try file.metadata["config"].map(JSONValue.init(parsing:)) } catch {
            throw CheckpointFileError(file: path, problem: "its metadata \"config\" is not JSON: \(error)")
        }
        if file.metadata["format"] == TrainingState.format {
            let averaged = file.tensors(withPrefix: "ema.")
            (tensors, quantized) = (averaged.isEmpty ? file.tensors(withPrefix: "model.") : averaged, [:])
            weightByteCount = tensors.reduce(0) { $0 + $1.bytes.count }
        } else {
            (tensors, quantized) = try QuantizedWeights.separate(file.tensors, file: path)
            weightByteCount = file.tensors.reduce(0) { $0 + $1.bytes.count }
        }
    }

    /// What a network is built on: tensors by name, quantised ones in their role.
    public var weights: [String: Tensor] {
        Dictionary(
            tensors.map { ($0.name, $0.tensor.playing(quantized[$0.name].map(ProductRole.quantized))) }
        ) { first, _ in first }
    }

    /// SHA-256 of the weights: what a sample records to say which checkpoint made it. It does not depend on the
    /// metadata; as a recorded digest it costs nothing.
    public var digest: String { metadata["weights.sha256"] ?? file.dataDigest() }

    /// Compares the weights with their recorded digest.
    /// - Throws: `CheckpointFileError` when they differ: the file was damaged or edited.
    public func verify() throws {
        guard let recorded = metadata["weights.sha256"], recorded != file.dataDigest() else { return }
        throw CheckpointFileError(file: path, problem: "is damaged: its weights do not match their digest")
    }

    /// - Parameters:
    ///   - config: what rebuilds the network.
    ///   - metadata: further texts, such as `step` or `source`.
    /// - Throws: `FileError` when the disk is full or the folder unwritable; no file is left then.
    public static func write(
        _ weights: [OutgoingTensor], config: JSONValue, metadata: [String: String] = [:], to path: String
    ) throws {
        var metadata = metadata
        metadata["format"] = format
        metadata["config"] = config.text
        metadata["weights.sha256"] = SafetensorsFile.dataDigest(of: weights)
        try SafetensorsFile.write(weights, metadata: metadata, to: path)
    }
}
