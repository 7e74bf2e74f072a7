import Archives
import Tensors

/// One parity case: inputs, parameters, outputs and vector-Jacobian products of an original implementation.
///
/// Keys: `param.<checkpoint key>`, `input.<name>`, `output.<name>`, `cotangent.<output>`, `grad_param.<key>`,
/// `grad_input.<name>`; metadata `config` (JSON: how to rebuild the case) and `source`. Shapes are the
/// originals' (NCHW, OIHW).
public struct Fixture: Sendable, CustomStringConvertible {
    public let file: SafetensorsFile
    /// How to rebuild the case; an empty object when the file does not say.
    public let config: JSONValue

    /// - Throws: `FileError`, `CheckpointFileError` when the file cannot be read or its `config` is not JSON.
    public init(path: String) throws {
        file = try SafetensorsFile(path: path)
        do { config = try JSONValue(parsing: file.metadata["config"] ?? "{}") } catch {
            throw CheckpointFileError(file: path, problem: "its metadata \"config\" is not JSON: \(error)")
        }
    }

    public var path: String { file.path }

    /// The file's name without folder and extension.
    public var name: String {
        let name = splitPath(path).name
        return name.hasSuffix(".safetensors") ? String(name.dropLast(".safetensors".count)) : name
    }

    public var description: String { name }

    /// Where the numbers come from.
    public var source: String { file.metadata["source"] ?? "" }

    /// A metadata text parsed as JSON; nil when it is absent or no JSON.
    public func metadata(_ key: String) -> JSONValue? {
        file.metadata[key].flatMap { try? JSONValue(parsing: $0) }
    }

    /// The parameters under their checkpoint keys, and so on for each group.
    public var parameters: [StoredTensor] { file.tensors(withPrefix: "param.") }
    /// The parameters as tensors, ready to build a model from.
    public var parameterTensors: [String: Tensor] {
        Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.tensor) })
    }
    public var inputs: [StoredTensor] { file.tensors(withPrefix: "input.") }
    public var outputs: [StoredTensor] { file.tensors(withPrefix: "output.") }
    public var cotangents: [StoredTensor] { file.tensors(withPrefix: "cotangent.") }
    public var parameterGradients: [StoredTensor] { file.tensors(withPrefix: "grad_param.") }
    public var inputGradients: [StoredTensor] { file.tensors(withPrefix: "grad_input.") }

    /// - Throws: `CheckpointFileError` when the case has no such tensor.
    public func parameter(_ key: String) throws -> StoredTensor { try file.tensor(named: "param." + key) }
    public func input(_ name: String) throws -> StoredTensor { try file.tensor(named: "input." + name) }
    public func output(_ name: String) throws -> StoredTensor { try file.tensor(named: "output." + name) }
    public func cotangent(_ name: String) throws -> StoredTensor {
        try file.tensor(named: "cotangent." + name)
    }
    public func parameterGradient(_ key: String) throws -> StoredTensor {
        try file.tensor(named: "grad_param." + key)
    }
    public func inputGradient(_ name: String) throws -> StoredTensor {
        try file.tensor(named: "grad_input." + name)
    }

    /// A whole number of the configuration.
    /// - Throws: `CheckpointFileError` when it is absent or something else.
    public func integer(_ key: String) throws -> Int { try value(key, "a whole number", \.integer) }
    public func number(_ key: String) throws -> Double { try value(key, "a number", \.number) }
    public func string(_ key: String) throws -> String { try value(key, "a text", \.string) }
    public func bool(_ key: String) throws -> Bool { try value(key, "true or false", \.bool) }
    public func integers(_ key: String) throws -> [Int] {
        try value(key, "a list of whole numbers", \.integers)
    }

    private func value<Value>(_ key: String, _ kind: String, _ convert: (JSONValue) -> Value?) throws -> Value
    {
        guard let value = config[key].flatMap(convert) else {
            throw CheckpointFileError(
                file: path,
                problem: "its config needs \(kind) under \"\(key)\", found \(config[key]?.text ?? "nothing")")
        }
        return value
    }
}
