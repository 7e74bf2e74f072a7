/// A zip file opened for reading any entry at any time, from several threads at once.
///
/// ```swift
/// let archive = try ZipArchive(path: "train.zip")
/// for entry in archive.entries where entry.name.hasSuffix(".jpg") {
///     let jpeg = try archive.contents(of: entry)
/// }
/// ```
/// Reads stored and deflated entries, ZIP64 included. The directory is checked when the archive is opened; each
/// entry's data against its size and checksum when it is read.
public final class ZipArchive: Sendable {
    /// What errors call the archive.
    public let file: String
    /// Files and folders in the order of the archive's directory.
    public let entries: [ZipEntry]
    private let bytes: ByteSlice
    private let positions: [String: Int]

    /// - Throws: `FileError` when the file cannot be read, `ArchiveError` when it is no sound zip.
    public convenience init(path: String) throws {
        try self.init(MappedFile(path: path).slice, file: path)
    }

    /// - Parameter file: what errors call the archive.
    public init(_ bytes: ByteSlice, file: String) throws {
        self.file = file
        self.bytes = bytes
        entries = try ZipDirectory(bytes: bytes, file: file).entries()
        positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    }

    /// Whether the data begins like a zip with at least one entry.
    public static func isZip(_ bytes: ByteSlice) -> Bool {
        bytes.integer(at: 0, as: UInt32.self) == 0x0403_4B50
    }

    public func entry(named name: String) -> ZipEntry? { positions[name].map { entries[$0] } }

    /// - Throws: `ArchiveError` when there is no such entry, and as `contents(of:)`.
    public func contents(named name: String, limit: Int = .max) throws -> ByteSlice {
        guard let entry = entry(named: name) else {
            throw ArchiveError(file: file, entry: name, problem: "is missing")
        }
        return try contents(of: entry, limit: limit)
    }

    /// An entry's bytes. A stored entry costs no copy.
    ///
    /// - Parameter limit: the most bytes to accept.
    /// - Throws: `ArchiveError` when the entry is encrypted, compressed by another method, damaged or too large.
    public func contents(of entry: ZipEntry, limit: Int = .max) throws -> ByteSlice {
        func refuse(_ problem: String) -> ArchiveError {
            ArchiveError(file: file, entry: entry.name, problem: problem)
        }
        guard !entry.isEncrypted else { throw refuse("is encrypted; unpack the archive first") }
        guard entry.size <= limit else {
            throw refuse("has \(entry.size) bytes, at most \(limit) are accepted")
        }

        let compressed = try compressedBytes(of: entry)
        let data: ByteSlice
        switch entry.method {
        case 0: data = compressed
        case 8: data = ByteSlice(try inflate(compressed, of: entry))
        default:
            throw refuse(
                "is compressed by method \(entry.method); stored and deflate are read. Repack it with zip")
        }
        guard data.withBytes({ crc32($0) }) == entry.crc32 else {
            throw refuse("is damaged: its checksum does not match. Fetch the archive again")
        }
        return data
    }

    private func compressedBytes(of entry: ZipEntry) throws -> ByteSlice {
        let start = entry.headerOffset
        guard bytes.integer(at: start, as: UInt32.self) == 0x0403_4B50,
            let nameLength = bytes.integer(at: start + 26, as: UInt16.self),
            let extraLength = bytes.integer(at: start + 28, as: UInt16.self)
        else { throw ArchiveError(file: file, entry: entry.name, problem: "its local header is broken") }
        let data = start + 30 + Int(nameLength) + Int(extraLength)
        guard data <= bytes.count, entry.compressedSize <= bytes.count - data else {
            throw ArchiveError(file: file, entry: entry.name, problem: "its data is cut short")
        }
        return bytes[data..<data + entry.compressedSize]
    }

    private func inflate(_ compressed: ByteSlice, of entry: ZipEntry) throws -> [UInt8] {
        guard let inflater = Inflater(.none) else {
            throw ArchiveError(file: file, entry: entry.name, problem: "cannot be decompressed: no memory")
        }
        // One byte more than claimed, so that data longer than claimed shows.
        let data = [UInt8](unsafeUninitializedCapacity: entry.size + 1) { output, count in
            let step = compressed.withBytes { inflater.run($0, into: UnsafeMutableRawBufferPointer(output)) }
            count = step.outcome == .ended ? step.made : 0
        }
        guard data.count == entry.size else {
            throw ArchiveError(
                file: file, entry: entry.name,
                problem: "is damaged: it does not decompress to \(entry.size) bytes")
        }
        return data
    }
}
