import Archives

/// A TensorBoard event file: scalars and images by step.
///
/// Records are framed as in TensorFlow's record files: length, masked CRC-32C of the length, data, masked CRC-32C
/// of the data; the data is a protocol buffer `Event` (tensorflow/core/util/event.proto).
public final class EventFile {
    public let path: String
    private let file: AppendingFile

    /// Starts a new event file in `folder`; TensorBoard joins all that a folder holds.
    ///
    /// - Parameters:
    ///   - wallTime: seconds since 1970, which also sorts the files.
    ///   - unique: tells apart files begun in one second, such as a process number.
    /// - Throws: `FileError` when the folder is absent or unwritable.
    public init(folder: String, wallTime: Double, unique: String) throws {
        path = joinPath(folder, "events.out.tfevents.\(Int(wallTime)).sfumato.\(unique)")
        file = try AppendingFile(path: path)
        var event = ProtocolBuffer()
        event.append(1, double: wallTime)
        event.append(3, text: "brain.Event:2")
        try append(event)
    }

    /// - Throws: `FileError` when the disk is full.
    public func add(_ tag: String, _ value: Float, step: Int, wallTime: Double) throws {
        var entry = ProtocolBuffer()
        entry.append(1, text: tag)
        entry.append(2, float: value)
        try append(entry, step: step, wallTime: wallTime)
    }

    /// - Parameter png: a whole PNG file.
    /// - Throws: `FileError` when the disk is full.
    public func add(
        _ tag: String, png: [UInt8], width: Int, height: Int, channels: Int = 3, step: Int, wallTime: Double
    ) throws {
        var image = ProtocolBuffer()
        image.append(1, integer: height)
        image.append(2, integer: width)
        image.append(3, integer: channels)
        image.append(4, bytes: png)
        var entry = ProtocolBuffer()
        entry.append(1, text: tag)
        entry.append(4, bytes: image.bytes)
        try append(entry, step: step, wallTime: wallTime)
    }

    /// Wraps one `Summary.Value` in a `Summary` in an `Event`.
    private func append(_ entry: ProtocolBuffer, step: Int, wallTime: Double) throws {
        var summary = ProtocolBuffer()
        summary.append(1, bytes: entry.bytes)
        var event = ProtocolBuffer()
        event.append(1, double: wallTime)
        event.append(2, integer: step)
        event.append(5, bytes: summary.bytes)
        try append(event)
    }

    private func append(_ event: ProtocolBuffer) throws {
        var length = LittleEndianBytes()
        length.append(UInt64(event.bytes.count))
        var record = length
        record.append(CRC32C.masked(length.bytes))
        record.bytes += event.bytes
        record.append(CRC32C.masked(event.bytes))
        try file.append(record.bytes)
    }
}
