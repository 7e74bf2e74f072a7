import Glibc

/// A file or folder could not be opened, read or written; says which, and the system's reason.
public struct FileError: Error, CustomStringConvertible, Equatable {
    public let path: String
    /// What was being done, as in "cannot *write*".
    public let action: String
    /// The system's error number.
    public let code: Int32

    public init(path: String, action: String, code: Int32 = errno) {
        self.path = path
        self.action = action
        self.code = code
    }

    public var description: String { "\(path): cannot \(action): \(reason)" }

    private var reason: String {
        switch code {
        case ENOSPC, EDQUOT: "the disk is full; free some space or choose another folder"
        case EACCES, EPERM: "permission denied; check the owner and the mode of the file and its folder"
        case EROFS: "the file system is read-only; choose another folder"
        case ENOENT: "no such file or folder; check the spelling"
        case EISDIR: "it is a folder, a file is needed"
        case ENOTDIR: "a part of the path is a file, a folder is needed"
        case EFBIG: "the file would be larger than allowed"
        default: String(cString: strerror(code))
        }
    }
}

/// The contents of a file are damaged, hostile, or of a kind that is not read; says which file and entry.
public struct ArchiveError: Error, CustomStringConvertible, Equatable {
    public let file: String
    public let entry: String?
    public let problem: String

    public init(file: String, entry: String? = nil, problem: String) {
        self.file = file
        self.entry = entry
        self.problem = problem
    }

    public var description: String {
        entry.map { "\(file): entry \"\($0)\": \(problem)" } ?? "\(file): \(problem)"
    }
}
