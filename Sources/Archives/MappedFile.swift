import Glibc

/// A file seen as memory: pages are read when first touched, and shared by every process that maps the file.
///
/// The file must not be shortened while it is mapped. Files of this project are replaced by rename, never cut.
public final class MappedFile: Sendable {
    public let path: String
    public let count: Int
    /// Nil for an empty file, which cannot be mapped.
    nonisolated(unsafe) private let base: UnsafeMutableRawPointer?

    /// - Throws: `FileError` when the file is absent, a folder, or unreadable.
    public init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, action: "read") }
        defer { close(descriptor) }

        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, action: "read") }
        let kind = status.st_mode & S_IFMT
        guard kind != S_IFDIR else { throw FileError(path: path, action: "read", code: EISDIR) }
        guard kind == S_IFREG else { throw FileError(path: path, action: "map", code: EINVAL) }

        self.path = path
        count = Int(status.st_size)
        if count == 0 {
            base = nil
        } else {
            let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
            guard let address, address != MAP_FAILED else { throw FileError(path: path, action: "map") }
            base = address
        }
    }

    deinit { if let base { munmap(base, count) } }

    /// The whole file; the pointer is valid inside `body` only.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(start: base, count: count)) }
    }

    /// The whole file as a slice that keeps the mapping alive.
    public var slice: ByteSlice { ByteSlice(self) }
}
