import Archives
import Tensors

/// A tensor on its way into a file: either bytes already stored, or a tensor encoded as it is written.
public struct OutgoingTensor {
    public let name: String
    public let shape: [Int]
    public let type: StoredType

    private enum Source {
        case bytes(ByteSlice)
        case tensor(Tensor)
    }
    private let source: Source

    public init(_ stored: StoredTensor) {
        (name, shape, type, source) = (stored.name, stored.shape, stored.type, .bytes(stored.bytes))
    }

    /// - Parameters:
    ///   - shape: the shape to record where it differs from the tensor's own (same number of scalars).
    ///   - type: how to store the scalars.
    public init(name: String, _ tensor: Tensor, shape: [Int]? = nil, as type: StoredType = .float32) {
        let shape = shape ?? tensor.shape.extents
        precondition(
            shape.reduce(1, *) == tensor.elementCount, "\(name): \(tensor.shape) cannot be stored as \(shape)"
        )
        (self.name, self.shape, self.type, source) = (name, shape, type, .tensor(tensor))
    }

    var byteCount: Int { shape.reduce(1, *) * type.byteCount }

    /// Hands over the bytes piece by piece, so that encoding never doubles a large tensor in memory.
    func withPieces(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        switch source {
        case .bytes(let bytes): try bytes.withBytes(body)
        case .tensor(let tensor):
            try tensor.withScalars { scalars in
                if type == .float32 { return try body(UnsafeRawBufferPointer(scalars)) }
                let piece = 1 << 16
                for start in stride(from: 0, to: scalars.count, by: piece) {
                    let part = scalars[start..<min(start + piece, scalars.count)]
                    try type.encode(UnsafeBufferPointer(rebasing: part)).withUnsafeBytes(body)
                }
            }
        }
    }
}

extension SafetensorsFile {
    /// Writes tensors and texts so that the file appears whole or not at all.
    ///
    /// Equal contents give equal bytes: tensors go by falling scalar size, then name, which keeps each aligned;
    /// the header is padded to a multiple of 8.
    ///
    /// - Throws: `FileError` when the disk is full or the folder unwritable, `CheckpointFileError` when a name
    ///   occurs twice.
    public static func write(_ tensors: [OutgoingTensor], metadata: [String: String] = [:], to path: String)
        throws
    {
        let ordered = ordered(tensors)
        for (one, next) in zip(ordered.map(\.name).sorted(), ordered.map(\.name).sorted().dropFirst())
        where one == next {
            throw CheckpointFileError(file: path, tensor: one, problem: "would be written twice")
        }
        let header = header(ordered, metadata)
        let file = try AtomicFile(path: path)
        try file.write(withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init))
        try file.write(header)
        for tensor in ordered { try tensor.withPieces { try file.write($0) } }
        try file.commit()
    }

    public static func write(_ tensors: [StoredTensor], metadata: [String: String] = [:], to path: String)
        throws
    {
        try write(tensors.map(OutgoingTensor.init), metadata: metadata, to: path)
    }

    /// The digest that `dataDigest` will give once these tensors are written.
    static func dataDigest(of tensors: [OutgoingTensor]) -> String {
        var hash = SHA256()
        for tensor in ordered(tensors) { tensor.withPieces { hash.update($0) } }
        return hash.hexadecimal()
    }

    private static func ordered(_ tensors: [OutgoingTensor]) -> [OutgoingTensor] {
        tensors.sorted { first, second in
            first.type.byteCount != second.type.byteCount
                ? first.type.byteCount > second.type.byteCount
                : first.name.utf8.lexicographicallyPrecedes(second.name.utf8)
        }
    }

    private static func header(_ tensors: [OutgoingTensor], _ metadata: [String: String]) -> [UInt8] {
        var text = "{"
        if !metadata.isEmpty {
            text += "\"__metadata__\":" + JSONValue.object(metadata.mapValues(JSONValue.string)).text
        }
        var position = 0
        for tensor in tensors {
            if text.utf8.count > 1 { text += "," }
            JSONValue.write(quoted: tensor.name, to: &text)
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            let end = position + tensor.byteCount
            text +=
                ":{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(position),\(end)]}"
            position = end
        }
        text += "}"
        var header = Array(text.utf8)
        header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
        return header
    }
}
