/// Reading of zlib streams (RFC 1950), as they stand inside other files.
public enum Zlib {
    /// Everything the stream holds, its checksum verified. Bytes behind its end are not looked at.
    ///
    /// - Parameters:
    ///   - file: what to call the data in an error.
    ///   - limit: the most bytes to accept, against decompression bombs.
    /// - Throws: `ArchiveError` when the data is no zlib stream, damaged, cut short, or larger than `limit`.
    public static func inflate(_ bytes: ByteSlice, file: String, limit: Int) throws -> [UInt8] {
        guard let inflater = Inflater(.zlib) else {
            throw ArchiveError(file: file, problem: "cannot be decompressed: no memory")
        }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var position = 0
        while true {
            let step = bytes[position..<bytes.count].withBytes { input in
                chunk.withUnsafeMutableBytes { inflater.run(input, into: $0) }
            }
            position += step.used
            result += chunk[..<step.made]
            guard result.count <= limit else {
                throw ArchiveError(
                    file: file, problem: "decompresses to more than the \(limit) bytes allowed")
            }
            switch step.outcome {
            case .ended: return result
            case .outputFull: continue
            case .inputShort:
                throw ArchiveError(file: file, problem: "is cut short: compressed data has no end")
            case .damaged:
                throw ArchiveError(
                    file: file, problem: "is damaged: compressed data or its checksum is wrong")
            }
        }
    }
}
