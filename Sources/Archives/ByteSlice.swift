/// A read-only run of bytes that keeps its owner alive: a part of a mapped file, or of an array.
///
/// Slicing copies nothing, so a tensor of a checkpoint or a stored entry of a zip costs no memory until read.
public struct ByteSlice: Sendable {
    private enum Owner: Sendable {
        case file(MappedFile)
        case array([UInt8])
    }

    private let owner: Owner
    private let range: Range<Int>

    public init(_ file: MappedFile) {
        owner = .file(file)
        range = 0..<file.count
    }

    public init(_ array: [UInt8]) {
        owner = .array(array)
        range = 0..<array.count
    }

    private init(owner: Owner, range: Range<Int>) {
        self.owner = owner
        self.range = range
    }

    public var count: Int { range.count }
    public var isEmpty: Bool { range.isEmpty }

    /// Bytes `part`, counted from the start of this slice.
    public subscript(part: Range<Int>) -> ByteSlice {
        precondition(
            part.lowerBound >= 0 && part.upperBound <= count, "bytes \(part) of a slice of \(count) bytes")
        return ByteSlice(
            owner: owner, range: range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound)
    }

    public subscript(index: Int) -> UInt8 { withBytes { $0[index] } }

    /// The pointer is valid inside `body` only, and aligned to nothing: read with `loadUnaligned`.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        switch owner {
        case .file(let file): try file.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
        case .array(let array):
            try array.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
    }

    /// A copy.
    public var array: [UInt8] { withBytes { Array($0) } }

    /// A little-endian integer at a byte offset; nil when it would reach past the end.
    public func integer<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type = Value.self) -> Value?
    {
        guard offset >= 0, offset <= count - MemoryLayout<Value>.size else { return nil }
        return withBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
    }

    /// The whole slice as UTF-8 text; nil when it is not.
    public var text: String? { withBytes { String(validating: $0, as: UTF8.self) } }
}
