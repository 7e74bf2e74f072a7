/// Writes a zip file entry by entry; it appears when finished, or not at all.
///
/// Equal contents give equal bytes: entries carry a fixed date. ZIP64 fields are written where needed only.
public final class ZipWriter {
    public enum Method: Sendable { case stored, deflate }

    private struct Record {
        let name: [UInt8]
        let method: UInt16
        let crc: UInt32
        let size: Int
        let compressedSize: Int
        let offset: Int
    }

    private let file: AtomicFile
    private var records: [Record] = []
    private var names: Set<String> = []

    /// - Throws: `FileError` when the folder is absent or unwritable.
    public init(path: String) throws { file = try AtomicFile(path: path) }

    /// - Throws: `FileError` when the disk is full, `ArchiveError` when the name is taken or too long.
    public func add(_ name: String, _ bytes: UnsafeRawBufferPointer, method: Method = .deflate) throws {
        guard name.utf8.count <= 0xFFFF, names.insert(name).inserted else {
            throw ArchiveError(file: file.path, entry: name, problem: "the name is too long or already used")
        }
        let packed = method == .deflate ? deflated(bytes, level: 6) : nil
        let record = Record(
            name: Array(name.utf8), method: packed == nil ? 0 : 8, crc: crc32(bytes), size: bytes.count,
            compressedSize: packed?.count ?? bytes.count, offset: file.count)
        records.append(record)

        var header = LittleEndianBytes()
        let isWide = record.size >= 0xFFFF_FFFF || record.compressedSize >= 0xFFFF_FFFF
        header.append(0x0403_4B50 as UInt32)
        appendCommon(record, isWide: isWide, to: &header)
        header.append(UInt16(record.name.count))
        header.append(UInt16(isWide ? 20 : 0))
        header.bytes += record.name
        if isWide { appendExtra([record.size, record.compressedSize], to: &header) }
        try file.write(header.bytes)
        if let packed { try file.write(packed) } else { try file.write(bytes) }
    }

    public func add(_ name: String, _ bytes: [UInt8], method: Method = .deflate) throws {
        try bytes.withUnsafeBytes { try add(name, $0, method: method) }
    }

    /// Writes the directory and makes the file appear.
    public func finish() throws {
        let start = file.count
        for record in records { try file.write(directoryEntry(record)) }
        try file.write(endRecords(start: start, size: file.count - start))
        try file.commit()
    }

    /// Version, flags (UTF-8 names), method, date, checksum and sizes, which both headers share.
    private func appendCommon(_ record: Record, isWide: Bool, to header: inout LittleEndianBytes) {
        header.append(UInt16(isWide ? 45 : 20))
        header.append(0x0800 as UInt16)
        header.append(record.method)
        header.append(0 as UInt16)
        header.append(0x0021 as UInt16)  // 1 January 1980
        header.append(record.crc)
        header.append(isWide ? .max : UInt32(record.compressedSize))
        header.append(isWide ? .max : UInt32(record.size))
    }

    private func appendExtra(_ values: [Int], to header: inout LittleEndianBytes) {
        header.append(1 as UInt16)
        header.append(UInt16(8 * values.count))
        for value in values { header.append(UInt64(value)) }
    }

    private func directoryEntry(_ record: Record) -> [UInt8] {
        var header = LittleEndianBytes()
        let limit = 0xFFFF_FFFF
        let isWide = record.size >= limit || record.compressedSize >= limit || record.offset >= limit
        header.append(0x0201_4B50 as UInt32)
        header.append(UInt16(isWide ? 45 : 20))
        appendCommon(record, isWide: isWide, to: &header)
        header.append(UInt16(record.name.count))
        header.append(UInt16(isWide ? 28 : 0))
        header.bytes += [UInt8](repeating: 0, count: 10)  // no comment, first disk, no attributes
        header.append(isWide ? .max : UInt32(record.offset))
        header.bytes += record.name
        if isWide { appendExtra([record.size, record.compressedSize, record.offset], to: &header) }
        return header.bytes
    }

    private func endRecords(start: Int, size: Int) -> [UInt8] {
        var end = LittleEndianBytes()
        let isWide = records.count >= 0xFFFF || start >= 0xFFFF_FFFF || size >= 0xFFFF_FFFF
        if isWide {
            end.append(0x0606_4B50 as UInt32)
            end.append(44 as UInt64)
            end.append(45 as UInt16)
            end.append(45 as UInt16)
            end.append(0 as UInt64)
            for value in [records.count, records.count, size, start] { end.append(UInt64(value)) }
            end.append(0x0706_4B50 as UInt32)
            end.append(0 as UInt32)
            end.append(UInt64(start + size))
            end.append(1 as UInt32)
        }
        end.append(0x0605_4B50 as UInt32)
        end.append(0 as UInt32)
        for _ in 0..<2 { end.append(UInt16(clamping: records.count)) }
        end.append(isWide ? .max : UInt32(size))
        end.append(isWide ? .max : UInt32(start))
        end.append(0 as UInt16)
        return end.bytes
    }
}
