import Checkpoints

/// A run's log: one JSON object a line, in order, readable while it grows.
public final class JSONLinesLog {
    private let file: AppendingFile

    /// Opens a log for appending. A last line that a power cut left unfinished is closed, so that the next one
    /// stands alone.
    ///
    /// - Throws: `FileError` when the file cannot be written.
    public init(path: String) throws {
        file = try AppendingFile(path: path)
        if let last = file.lastByte, last != UInt8(ascii: "\n") { try file.append([UInt8(ascii: "\n")]) }
    }

    /// Keys are sorted. A value that is not finite becomes null, which every JSON reader accepts.
    /// - Throws: `FileError` when the disk is full.
    public func append(_ record: [String: JSONValue]) throws {
        try file.append(Array((JSONValue.object(record.mapValues(\.finite)).text + "\n").utf8))
    }
}

extension JSONValue {
    /// The same value with null in place of numbers that strict JSON cannot say.
    fileprivate var finite: JSONValue {
        switch self {
        case .number(let value) where !value.isFinite: .null
        case .array(let items): .array(items.map(\.finite))
        case .object(let members): .object(members.mapValues(\.finite))
        default: self
        }
    }
}
