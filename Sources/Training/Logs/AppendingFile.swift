import Archives
import Glibc

/// A file that grows by whole records: each reaches the system in one write, so a kill cuts none in half.
final class AppendingFile {
    let path: String
    private let descriptor: Int32

    /// - Parameter isFresh: refuse a file that exists.
    /// - Throws: `FileError` when the file cannot be opened for writing.
    init(path: String, isFresh: Bool = false) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (isFresh ? O_EXCL : 0), 0o666)
        guard descriptor >= 0 else { throw FileError(path: path, action: "write") }
    }

    deinit { close(descriptor) }

    /// The last byte of the file; nil when it is empty.
    var lastByte: UInt8? {
        var byte: UInt8 = 0
        let end = lseek(descriptor, 0, SEEK_END)
        return end > 0 && pread(descriptor, &byte, 1, end - 1) == 1 ? byte : nil
    }

    /// - Throws: `FileError` when the disk is full; a record begun is taken back.
    func append(_ record: [UInt8]) throws {
        let end = lseek(descriptor, 0, SEEK_END)
        var done = 0
        while done < record.count {
            let written = record.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                let error = FileError(path: path, action: "write")
                if end >= 0 { ftruncate(descriptor, end) }
                throw error
            }
            done += written
        }
    }
}
