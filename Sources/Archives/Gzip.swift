/// Reading of `.gz` data (RFC 1952), such as IDX data sets.
public enum Gzip {
    /// Whether the data begins like a gzip file.
    public static func isGzip(_ bytes: ByteSlice) -> Bool {
        bytes.count >= 18 && bytes[0] == 0x1F && bytes[1] == 0x8B
    }

    /// Everything the members of a gzip file hold, checksums verified.
    ///
    /// - Parameters:
    ///   - file: what to call the data in an error.
    ///   - limit: the most bytes to accept, against decompression bombs.
    /// - Throws: `ArchiveError` when the data is not gzip, damaged, cut short, or larger than `limit`.
    public static func inflate(_ bytes: ByteSlice, file: String, limit: Int = 1 << 32) throws -> [UInt8] {
        guard isGzip(bytes) else { throw ArchiveError(file: file, problem: "is not a gzip file") }
        guard let inflater = Inflater(.gzip) else {
            throw ArchiveError(file: file, problem: "cannot be decompressed: no memory")
        }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var position = 0
        while position < bytes.count {
            let rest = bytes[position..<bytes.count]
            let step = rest.withBytes { input in
                chunk.withUnsafeMutableBytes { inflater.run(input, into: $0) }
            }
            position += step.used
            result += chunk[..<step.made]
            guard result.count <= limit else {
                throw ArchiveError(
                    file: file, problem: "decompresses to more than the \(limit) bytes allowed")
            }
            switch step.outcome {
            case .outputFull: continue
            case .ended: inflater.reset()
            case .inputShort:
                throw ArchiveError(file: file, problem: "is cut short: the gzip data has no end")
            case .damaged:
                throw ArchiveError(file: file, problem: "is damaged: the gzip data or its checksum is wrong")
            }
            // Zero padding after the last member is customary on tapes and harmless.
            if case .ended = step.outcome,
                bytes[position..<bytes.count].withBytes({ $0.allSatisfy { $0 == 0 } })
            {
                break
            }
        }
        return result
    }
}
