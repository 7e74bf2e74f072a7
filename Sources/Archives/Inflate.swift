import CZlib

/// How compressed bytes are wrapped.
enum DeflateWrapper: Int32 {
    /// Bare deflate data, as in zip.
    case none = -15
    /// gzip's header and trailer, whose checksum zlib verifies.
    case gzip = 31
    /// zlib's own, with a checksum at the end.
    case zlib = 15
}

/// One zlib decompression, at a fixed address as the library demands.
final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>

    init?(_ wrapper: DeflateWrapper) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(stream, wrapper.rawValue, ZLIB_VERSION, size) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    enum Outcome { case ended, outputFull, inputShort, damaged }

    /// Decompresses from `input` into `output` until the data ends, the output is full or the input is used up.
    /// - Returns: how it stopped, bytes used and bytes made.
    func run(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> (outcome: Outcome, used: Int, made: Int) {
        var (used, made) = (0, 0)
        while true {
            let inCount = min(input.count - used, 1 << 30)
            let outCount = min(output.count - made, 1 << 30)
            // zlib's field is not const, but it only reads.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress.map { ($0 + used).assumingMemoryBound(to: UInt8.self) })
            stream.pointee.avail_in = UInt32(inCount)
            stream.pointee.next_out = output.baseAddress.map {
                ($0 + made).assumingMemoryBound(to: UInt8.self)
            }
            stream.pointee.avail_out = UInt32(outCount)
            let status = inflate(stream, Z_NO_FLUSH)
            let consumed = inCount - Int(stream.pointee.avail_in)
            let produced = outCount - Int(stream.pointee.avail_out)
            used += consumed
            made += produced
            switch status {
            case Z_STREAM_END: return (.ended, used, made)
            case Z_OK where consumed + produced > 0: continue
            case Z_OK, Z_BUF_ERROR: return (made == output.count ? .outputFull : .inputShort, used, made)
            default: return (.damaged, used, made)
            }
        }
    }

    /// Starts over for the next member of a gzip file.
    func reset() { inflateReset(stream) }
}

/// Deflate-compresses `bytes` without a wrapper, as zip entries are.
/// - Parameter level: 0 (none) to 9 (smallest).
func deflated(_ bytes: UnsafeRawBufferPointer, level: Int32) -> [UInt8]? {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
    else { return nil }
    defer { deflateEnd(stream) }

    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var used = 0
    while true {
        let inCount = min(bytes.count - used, 1 << 30)
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress.map { ($0 + used).assumingMemoryBound(to: UInt8.self) })
        stream.pointee.avail_in = UInt32(inCount)
        let flush = used + inCount == bytes.count ? Z_FINISH : Z_NO_FLUSH
        let status = chunk.withUnsafeMutableBufferPointer { out in
            stream.pointee.next_out = out.baseAddress
            stream.pointee.avail_out = UInt32(out.count)
            return deflate(stream, flush)
        }
        used += inCount - Int(stream.pointee.avail_in)
        result += chunk[..<(chunk.count - Int(stream.pointee.avail_out))]
        if status == Z_STREAM_END { return result }
        guard status == Z_OK || status == Z_BUF_ERROR else { return nil }
    }
}
