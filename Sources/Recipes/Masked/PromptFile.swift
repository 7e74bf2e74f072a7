import Archives
import Checkpoints
import Layers
import Tensors

/// Embedded prompts of a file, read when asked for.
public struct PromptList: Sendable {
    fileprivate let stored: [StoredTensor]

    public var count: Int { stored.count }

    /// `[L, E]`
    public subscript(index: Int) -> Tensor {
        let shape = stored[index].shape.suffix(2)
        return Tensor(shape: Shape(Array(shape)), scalars: stored[index].floats)
    }
}

/// Prompts that another program has embedded: a safetensors file with one tensor `[L, E]` for each, under its name.
struct PromptFile: Sendable {
    /// In alphabetical order.
    let names: [String]
    let prompts: PromptList

    /// - Parameter width: E that the model reads.
    /// - Throws: `FileError`, `CheckpointFileError` when the file is damaged, empty, or holds something else.
    init(path: String, width: Int) throws {
        let tensors = try SafetensorsFile(path: path).tensors.sorted { $0.name < $1.name }
        guard !tensors.isEmpty else {
            throw CheckpointFileError(
                file: path, problem: "holds no prompt; give each as a tensor [tokens, \(width)]")
        }
        for stored in tensors {
            var shape = stored.shape
            if shape.count == 3, shape[0] == 1 { shape.removeFirst() }
            guard shape.count == 2, shape[0] > 0, shape[1] == width else {
                throw CheckpointFileError(
                    file: path,
                    problem: "\(stored.name) is \(stored.shape), the model reads prompts [tokens, \(width)]")
            }
            guard stored.isFinite else {
                throw CheckpointFileError(
                    file: path, problem: "\(stored.name) has values that are not finite")
            }
        }
        prompts = PromptList(stored: tensors)
        names = tensors.map(\.name)
    }
}

extension StoredTensor {
    fileprivate var isFinite: Bool { floats.allSatisfy(\.isFinite) }
}

extension MaskedSamplingSettings {
    /// The same with the digest of the prompts' file.
    /// - Throws: `GenerationError` when it is another file than the one the digest tells; `FileError`.
    func resolved() throws -> MaskedSamplingSettings {
        guard let prompts else { return self }
        let digest = SHA256.hexadecimal(try MappedFile(path: prompts).slice)
        if let promptsDigest, promptsDigest != digest {
            throw GenerationError(
                "\(prompts): is not the file of prompts that was used (sha256 \(promptsDigest.prefix(12))…, found "
                    + "\(digest.prefix(12))…); give the right one with --set masked.prompts=FILE")
        }
        var result = self
        result.promptsDigest = digest
        return result
    }
}
