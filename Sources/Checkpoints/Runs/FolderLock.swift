import Archives
import Glibc

/// Another process is at work in a folder.
public struct FolderInUseError: Error, CustomStringConvertible, Equatable {
    public let folder: String
    /// As the other process noted it; nil when it has not yet.
    public let process: Int?

    public var description: String {
        "\(folder): is in use by " + (process.map { "process \($0)" } ?? "another process")
            + "; wait for it to end, or choose another folder"
    }
}

/// The sole right to write into a folder, for as long as this object lives.
///
/// The system gives the right back when the process ends, however it ends, so a killed run leaves no stale lock.
public final class FolderLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `FolderInUseError` when another process, or another part of this one, holds the right;
    ///   `FileError` when the folder is unwritable.
    public init(folder: String) throws {
        let path = joinPath(folder, ".lock")
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError(path: path, action: "write") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            var note = [UInt8](repeating: 0, count: 32)
            let count = read(descriptor, &note, note.count)
            close(descriptor)
            let owner = String(decoding: note.prefix(max(0, count)), as: UTF8.self)
            throw FolderInUseError(
                folder: folder, process: owner.split(separator: "\n").first.flatMap { Int($0) })
        }
        // Who holds it is a courtesy to the reader of the error; failing to note it loses nothing.
        let note = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = write(descriptor, note, note.count) }
    }

    deinit { close(descriptor) }
}
