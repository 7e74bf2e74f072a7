import Archives

/// The raw storages of a `.pth` file by key, and how tensors are cut from them.
struct TorchStorages {
    let file: String
    private let source: Source
    private var cache: [String: ByteSlice] = [:]
    /// How many bytes tensors may take that are not plain views of the file.
    private var allowance: Int

    private enum Source {
        /// Entries `PREFIX/data/KEY`.
        case zip(ZipArchive, prefix: String)
        /// Byte positions of the elements, which the tensors' own sizes delimit.
        case legacy([String: (start: Int, count: Int)], ByteSlice)
    }

    init(_ archive: ZipArchive, prefix: String) {
        file = archive.file
        source = .zip(archive, prefix: prefix)
        allowance = 1 << 28
        allowance += 16 * archive.entries.reduce(0) { $0 + $1.size }
    }

    init(legacy positions: [String: (start: Int, count: Int)], in bytes: ByteSlice, file: String) {
        self.file = file
        source = .legacy(positions, bytes)
        allowance = 1 << 28
        allowance += 16 * bytes.count
    }

    /// The scalars of a tensor in row-major order; a view of the file where they already lie so.
    mutating func tensor(_ name: String, _ reference: TorchTensorReference) throws -> StoredTensor {
        func fault(_ problem: String) -> CheckpointFileError {
            CheckpointFileError(file: file, tensor: name, problem: problem)
        }
        guard let type = reference.storage.type else { throw fault("has scalars of a type that is not read") }
        guard let count = checkedElementCount(reference.shape), reference.shape.count <= 16 else {
            throw fault("has no believable shape: \(reference.shape.prefix(16))")
        }
        if count == 0 {
            return StoredTensor(name: name, shape: reference.shape, type: type, bytes: ByteSlice([]))
        }
        guard let last = lastElement(reference), reference.offset >= 0, last < reference.storage.count else {
            throw fault(
                "\(reference.shape) reaches outside its storage of \(reference.storage.count) scalars")
        }
        let bytes = try storage(reference.storage, type, name)
        let start = (reference.storage.offset + reference.offset) * type.byteCount
        if isContiguous(reference) {
            let end = start + count * type.byteCount
            return StoredTensor(name: name, shape: reference.shape, type: type, bytes: bytes[start..<end])
        }
        allowance -= count * type.byteCount
        guard allowance >= 0 else { throw fault("repeats its storage too often: \(reference.shape)") }
        let gathered = gather(bytes, start: start, reference, count: count, size: type.byteCount)
        return StoredTensor(name: name, shape: reference.shape, type: type, bytes: ByteSlice(gathered))
    }

    /// The bytes of a whole storage, checked to hold the part that `reference` speaks of.
    private mutating func storage(
        _ reference: TorchStorageReference, _ type: StoredType, _ tensor: String
    ) throws -> ByteSlice {
        let bytes: ByteSlice
        if let cached = cache[reference.key] {
            bytes = cached
        } else {
            switch source {
            case .zip(let archive, let prefix):
                bytes = try archive.contents(named: "\(prefix)data/\(reference.key)")
            case .legacy(let positions, let all):
                guard let position = positions[reference.key] else {
                    throw CheckpointFileError(
                        file: file, tensor: tensor,
                        problem: "is in storage \(reference.key), which is missing")
                }
                bytes = all[position.start..<position.start + position.count]
            }
            cache[reference.key] = bytes
        }
        let (scalars, overflow) = reference.offset.addingReportingOverflow(reference.count)
        guard !overflow, scalars <= bytes.count / type.byteCount else {
            throw CheckpointFileError(
                file: file, tensor: tensor,
                problem:
                    "needs \(scalars) scalars of storage \(reference.key), which has \(bytes.count) bytes")
        }
        return bytes
    }

    /// Position of the farthest scalar; nil when a stride is negative or a sum does not fit.
    private func lastElement(_ tensor: TorchTensorReference) -> Int? {
        var last = tensor.offset
        for (extent, stride) in zip(tensor.shape, tensor.strides) {
            let (span, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
            let (sum, tooFar) = last.addingReportingOverflow(span)
            guard stride >= 0, !overflow, !tooFar else { return nil }
            last = sum
        }
        return last
    }

    private func isContiguous(_ tensor: TorchTensorReference) -> Bool {
        var expected = 1
        for (extent, stride) in zip(tensor.shape, tensor.strides).reversed() where extent != 1 {
            if stride != expected { return false }
            expected *= extent
        }
        return true
    }

    private func gather(
        _ bytes: ByteSlice, start: Int, _ tensor: TorchTensorReference, count: Int, size: Int
    ) -> [UInt8] {
        bytes.withBytes { source in
            [UInt8](unsafeUninitializedCapacity: count * size) { target, initialized in
                var index = [Int](repeating: 0, count: tensor.shape.count)
                var position = 0
                for element in 0..<count {
                    for byte in 0..<size {
                        target[element * size + byte] = source[start + position * size + byte]
                    }
                    for axis in index.indices.reversed() {
                        index[axis] += 1
                        position += tensor.strides[axis]
                        if index[axis] < tensor.shape[axis] { break }
                        position -= tensor.strides[axis] * tensor.shape[axis]
                        index[axis] = 0
                    }
                }
                initialized = count * size
            }
        }
    }
}
