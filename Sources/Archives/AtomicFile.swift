import Glibc

/// A file that appears whole or not at all.
///
/// Bytes go to a hidden file beside the target; `commit` flushes it to the disk, renames it over the target and
/// flushes the folder, so that a crash at any instant leaves the old file or the new one. Without `commit` the
/// hidden file is removed.
public final class AtomicFile {
    /// The hidden files of interrupted writes are named `.NAME.RANDOM.partial`.
    public static let partialSuffix = ".partial"

    public let path: String
    /// Bytes written so far.
    public private(set) var count = 0

    private let partialPath: String
    private let folder: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    private static let bufferSize = 1 << 18

    /// - Throws: `FileError` when the folder is absent or unwritable, or the target is a folder.
    public init(path: String) throws {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            throw FileError(path: path, action: "write", code: EISDIR)
        }
        let (folder, name) = splitPath(path)
        let unique = String(UInt64.random(in: .min ... .max), radix: 36)
        self.path = path
        self.folder = folder
        partialPath = joinPath(folder, ".\(name).\(unique)\(Self.partialSuffix)")
        descriptor = open(partialPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError(path: path, action: "write") }
    }

    deinit { discard() }

    /// Writes `bytes` as the whole of `path`.
    public static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.write(bytes)
        try file.commit()
    }

    public static func write(_ text: String, to path: String) throws { try write(text.utf8, to: path) }

    public func write(_ bytes: some Sequence<UInt8>) throws {
        try Array(bytes).withUnsafeBytes { try write($0) }
    }

    /// - Throws: `FileError`, after removing what was written, when the disk is full or fails.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        count += bytes.count
        if buffer.count + bytes.count > Self.bufferSize { try flush() }
        guard bytes.count <= Self.bufferSize else { return try writeThrough(bytes) }
        buffer.append(contentsOf: bytes)
    }

    /// Makes the file appear under its name. Nothing may be written afterwards.
    public func commit() throws {
        try flush()
        guard fsync(descriptor) == 0 else { throw failure() }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(partialPath, path) == 0 else {
            let error = FileError(path: path, action: "write")
            unlink(partialPath)
            throw error
        }
        syncFolder(folder)
    }

    /// Gives up: removes what was written and leaves the target as it was.
    public func discard() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(partialPath)
    }

    private func flush() throws {
        guard !buffer.isEmpty else { return }
        let full = buffer
        buffer.removeAll(keepingCapacity: true)
        try full.withUnsafeBytes { try writeThrough($0) }
    }

    private func writeThrough(_ bytes: UnsafeRawBufferPointer) throws {
        guard descriptor >= 0 else { throw FileError(path: path, action: "write", code: EBADF) }
        var done = 0
        while done < bytes.count {
            // The address is that of a non-empty buffer.
            let written = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure() }
            done += written
        }
    }

    private func failure() -> FileError {
        let error = FileError(path: path, action: "write")
        discard()
        return error
    }
}
