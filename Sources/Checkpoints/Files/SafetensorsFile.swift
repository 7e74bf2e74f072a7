import Archives

/// A safetensors file opened for reading: a table of contents, and tensors that cost nothing until used.
///
/// The format: a little-endian 64-bit header size, a JSON header `{name: {dtype, shape, data_offsets}}`, then
/// the tensors' bytes without gaps. Nothing in the file is believed before it has been checked.
public struct SafetensorsFile: Sendable {
    public let path: String
    /// The texts of `__metadata__`.
    public let metadata: [String: String]
    /// In the order of their bytes.
    public let tensors: [StoredTensor]
    private let positions: [String: Int]
    private let data: ByteSlice

    /// The reference implementation's limit.
    private static let largestHeader = 100_000_000

    /// - Throws: `FileError` when the file cannot be read, `CheckpointFileError` when it is no sound safetensors.
    public init(path: String) throws { try self.init(MappedFile(path: path).slice, path: path) }

    /// - Parameter path: what errors call the data.
    public init(_ bytes: ByteSlice, path: String) throws {
        self.path = path
        guard let headerSize = bytes.integer(at: 0, as: UInt64.self) else {
            throw CheckpointFileError(
                file: path, problem: "is no safetensors file: only \(bytes.count) bytes")
        }
        guard headerSize <= Self.largestHeader, headerSize <= bytes.count - 8, headerSize >= 2 else {
            throw CheckpointFileError(
                file: path,
                problem:
                    "is no safetensors file, or is cut short: a header of \(headerSize) bytes in \(bytes.count)"
            )
        }
        let dataStart = 8 + Int(headerSize)
        data = bytes[dataStart..<bytes.count]
        let header: JSONValue
        do { header = try bytes[8..<dataStart].withBytes { try JSONValue(parsing: $0) } } catch {
            throw CheckpointFileError(file: path, problem: "is no safetensors file: \(error) of its header")
        }
        let reader = SafetensorsHeader(file: path, data: data)
        (metadata, tensors) = try reader.contents(of: header)
        positions = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    }

    /// Whether the data looks like a safetensors file.
    public static func isSafetensors(_ bytes: ByteSlice) -> Bool {
        bytes.count > 8 && bytes[8] == UInt8(ascii: "{")
    }

    public subscript(name: String) -> StoredTensor? { positions[name].map { tensors[$0] } }

    /// - Throws: `CheckpointFileError` naming the file and the tensor when it is absent.
    public func tensor(named name: String) throws -> StoredTensor {
        guard let tensor = self[name] else {
            throw CheckpointFileError(file: path, tensor: name, problem: "is missing")
        }
        return tensor
    }

    /// The tensors whose names begin with `prefix`, under the rest of their names.
    public func tensors(withPrefix prefix: String) -> [StoredTensor] {
        tensors.filter { $0.name.hasPrefix(prefix) }.map { tensor in
            var tensor = tensor
            tensor.name.removeFirst(prefix.count)
            return tensor
        }
    }

    /// SHA-256 over the tensors' bytes in file order.
    public func dataDigest() -> String { SHA256.hexadecimal(data) }
}

/// Turns a parsed header into tensors, refusing what does not add up.
private struct SafetensorsHeader {
    let file: String
    let data: ByteSlice

    func contents(of header: JSONValue) throws -> ([String: String], [StoredTensor]) {
        guard case .object(let members) = header else {
            throw CheckpointFileError(file: file, problem: "is no safetensors file: its header is no object")
        }
        var metadata: [String: String] = [:]
        var entries: [(name: String, type: StoredType, shape: [Int], begin: Int, end: Int)] = []
        for (name, value) in members {
            if name == "__metadata__" {
                metadata = try texts(value)
            } else {
                let (type, shape, begin, end) = try entry(name, value)
                entries.append((name, type, shape, begin, end))
            }
        }
        entries.sort { ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name) }
        var position = 0
        for entry in entries {
            guard entry.begin == position else {
                let what = entry.begin < position ? "overlaps the tensor before it" : "leaves a gap before it"
                throw fault(entry.name, "\(what): begins at \(entry.begin), expected \(position)")
            }
            position = entry.end
        }
        guard position == data.count else {
            throw CheckpointFileError(
                file: file, problem: "has \(data.count - position) bytes that belong to no tensor")
        }
        return (
            metadata,
            entries.map {
                StoredTensor(name: $0.name, shape: $0.shape, type: $0.type, bytes: data[$0.begin..<$0.end])
            }
        )
    }

    private func entry(_ name: String, _ value: JSONValue) throws -> (StoredType, [Int], Int, Int) {
        guard let typeName = value["dtype"]?.string else { throw fault(name, "has no dtype") }
        guard let type = StoredType(rawValue: typeName) else {
            let known = StoredType.allCases.map(\.rawValue).joined(separator: " ")
            throw fault(name, "has dtype \(typeName); read are \(known)")
        }
        guard let shape = value["shape"]?.integers, let count = checkedElementCount(shape) else {
            throw fault(name, "has no believable shape: \(value["shape"]?.text.prefix(80) ?? "none")")
        }
        guard let offsets = value["data_offsets"]?.integers, offsets.count == 2 else {
            throw fault(name, "has no data_offsets")
        }
        guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= data.count else {
            throw fault(
                name,
                "lies at bytes \(offsets[0])..<\(offsets[1]) of \(data.count); the file may be cut short")
        }
        guard offsets[1] - offsets[0] == count * type.byteCount else {
            throw fault(
                name,
                "is \(typeName) \(shape), \(count * type.byteCount) bytes, but has \(offsets[1] - offsets[0])"
            )
        }
        return (type, shape, offsets[0], offsets[1])
    }

    private func texts(_ value: JSONValue) throws -> [String: String] {
        guard let members = value.object else { throw fault("__metadata__", "is no object") }
        return try members.mapValues { value in
            guard let text = value.string else {
                throw fault("__metadata__", "holds something other than text")
            }
            return text
        }
    }

    private func fault(_ tensor: String, _ problem: String) -> CheckpointFileError {
        CheckpointFileError(file: file, tensor: tensor, problem: problem)
    }
}
