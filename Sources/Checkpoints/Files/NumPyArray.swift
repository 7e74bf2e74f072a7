import Archives

/// NumPy's `.npy`: one array after a header that is a Python dictionary.
public enum NumPyArray {
    /// - Parameters:
    ///   - name: what to call the tensor.
    ///   - file: what errors call the data.
    /// - Throws: `CheckpointFileError` when the header is damaged, or the array holds objects or text.
    public static func read(_ bytes: ByteSlice, name: String, file: String) throws -> StoredTensor {
        func fault(_ problem: String) -> CheckpointFileError {
            CheckpointFileError(file: file, tensor: name, problem: problem)
        }
        guard bytes.count >= 10, bytes[0..<6].array == magic else { throw fault("is no .npy array") }
        let isLong = bytes[6] >= 2
        guard (1...3).contains(bytes[6]), bytes.count >= 12 else {
            throw fault("has an unknown version of .npy")
        }
        let length =
            isLong
            ? Int(bytes.integer(at: 8, as: UInt32.self) ?? 0)
            : Int(bytes.integer(at: 8, as: UInt16.self) ?? 0)
        let start = isLong ? 12 : 10
        guard length <= 1 << 16, length <= bytes.count - start, let text = bytes[start..<start + length].text
        else {
            throw fault("has a header of \(length) bytes in a file of \(bytes.count)")
        }
        guard let header = NumPyHeader(parsing: text), let count = checkedElementCount(header.shape) else {
            throw fault("has a header that makes no sense: \(text.prefix(80))")
        }
        guard let type = types.first(where: { header.description.dropFirst() == $0.key.dropFirst() })?.value
        else {
            throw fault(
                "holds \"\(header.description)\"; read are numbers of 1 to 8 bytes and truth values")
        }
        var data = bytes[start + length..<bytes.count]
        guard data.count == count * type.byteCount else {
            throw fault("is \(header.shape), \(count * type.byteCount) bytes, but has \(data.count)")
        }
        if header.description.hasPrefix(">") { data = byteSwapped(data, size: type.byteCount) }
        let shape = header.shape
        if !header.isColumnMajor || shape.count < 2 {
            return StoredTensor(name: name, shape: shape, type: type, bytes: data)
        }
        return StoredTensor(name: name, shape: shape, type: type, bytes: rowMajor(data, shape, type))
    }

    public static func read(path: String) throws -> StoredTensor {
        try read(MappedFile(path: path).slice, name: splitPath(path).name, file: path)
    }

    /// The bytes of a `.npy` file.
    /// - Throws: `CheckpointFileError` for bfloat16, which NumPy does not have.
    public static func encode(_ tensor: StoredTensor) throws -> [UInt8] {
        guard let description = types.first(where: { $0.value == tensor.type })?.key else {
            throw CheckpointFileError(
                file: ".npy", tensor: tensor.name,
                problem: "is \(tensor.type.rawValue), which NumPy lacks; convert it")
        }
        let shape = tensor.shape.map { "\($0)," }.joined(separator: " ")
        let tuple = tensor.shape.count > 1 ? String(shape.dropLast()) : shape
        var header = "{'descr': '\(description)', 'fortran_order': False, 'shape': (\(tuple)), }"
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        var result = LittleEndianBytes()
        result.bytes = magic + [1, 0]
        result.append(UInt16(header.utf8.count))
        result.bytes += Array(header.utf8)
        tensor.bytes.withBytes { result.bytes.append(contentsOf: $0) }
        return result.bytes
    }

    public static func write(_ tensor: StoredTensor, to path: String) throws {
        try AtomicFile.write(try encode(tensor), to: path)
    }

    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    private static let types: [String: StoredType] = [
        "<f8": .float64, "<f4": .float32, "<f2": .float16, "<i8": .int64, "<i4": .int32, "<i2": .int16,
        "|i1": .int8, "|u1": .uint8, "|b1": .bool,
    ]

    /// Big-endian scalars as little-endian ones.
    private static func byteSwapped(_ data: ByteSlice, size: Int) -> ByteSlice {
        data.withBytes { source in
            ByteSlice((0..<source.count).map { source[$0 / size * size + size - 1 - $0 % size] })
        }
    }

    private static func rowMajor(_ data: ByteSlice, _ shape: [Int], _ type: StoredType) -> ByteSlice {
        // Column-major data of a shape is row-major data of the reversed shape.
        let order = Array(shape.indices.reversed())
        let size = type.byteCount
        let elements = AxisOrder.permuted(Array(0..<data.count / size), shape: shape.reversed(), order: order)
            .values
        return data.withBytes { source in
            ByteSlice(elements.flatMap { source[$0 * size..<($0 + 1) * size] })
        }
    }
}

/// Several NumPy arrays in a zip. Batches of images for the ADM evaluation are `arr_0`, uint8 `[N, H, W, 3]`,
/// with labels as `arr_1`.
public enum NumPyArchive {
    /// - Throws: `FileError`, `ArchiveError`, `CheckpointFileError`.
    public static func read(path: String) throws -> [StoredTensor] {
        let archive = try ZipArchive(path: path)
        return try archive.entries.filter { $0.name.hasSuffix(".npy") }.map { entry in
            try NumPyArray.read(
                archive.contents(of: entry), name: String(entry.name.dropLast(4)), file: path)
        }
    }

    /// - Parameter isCompressed: as `numpy.savez_compressed` does.
    public static func write(_ tensors: [StoredTensor], to path: String, isCompressed: Bool = false) throws {
        let writer = try ZipWriter(path: path)
        for tensor in tensors {
            try writer.add(
                tensor.name + ".npy", try NumPyArray.encode(tensor), method: isCompressed ? .deflate : .stored
            )
        }
        try writer.finish()
    }
}
