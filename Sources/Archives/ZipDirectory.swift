/// Reads a zip's central directory (APPNOTE 6.3, sections 4.3 and 4.5), trusting nothing it says.
struct ZipDirectory {
    let bytes: ByteSlice
    let file: String

    private struct Location {
        var entryCount: Int
        var size: Int
        var offset: Int
    }

    func entries() throws -> [ZipEntry] {
        let location = try locate()
        // An entry takes 46 bytes at least, so the file's own size bounds what is allocated here.
        guard location.offset <= bytes.count, location.size <= bytes.count - location.offset,
            location.entryCount <= location.size / 46
        else { throw damaged("its directory lies outside the file") }

        let directory = bytes[location.offset..<location.offset + location.size]
        var entries: [ZipEntry] = []
        entries.reserveCapacity(location.entryCount)
        var position = 0
        for _ in 0..<location.entryCount {
            let (entry, length) = try entry(in: directory, at: position)
            position += length
            entries.append(entry)
        }
        try check(entries, dataEnd: location.offset)
        return entries
    }

    /// Finds the end record, which a comment of up to 65,535 bytes may follow, and its ZIP64 twin.
    private func locate() throws -> Location {
        let lowest = max(0, bytes.count - 22 - 0xFFFF)
        let candidates = stride(from: bytes.count - 22, through: lowest, by: -1)
        let found = candidates.first { position in
            bytes.integer(at: position, as: UInt32.self) == 0x0605_4B50
                && position + 22 + Int(bytes.integer(at: position + 20, as: UInt16.self) ?? 0) == bytes.count
        }
        guard bytes.count >= 22, let end = found else {
            throw ArchiveError(file: file, problem: "is not a zip file, or is cut short (no end record)")
        }
        let disks: UInt32 = try field(bytes, end + 4)
        guard disks == 0 || disks == 0xFFFF_FFFF else {
            throw damaged("archives in several parts are not read")
        }
        let location = Location(
            entryCount: Int(try field(bytes, end + 10) as UInt16),
            size: Int(try field(bytes, end + 12) as UInt32),
            offset: Int(try field(bytes, end + 16) as UInt32))
        if end >= 20, bytes.integer(at: end - 20, as: UInt32.self) == 0x0706_4B50 {
            return try locate64(locator: end - 20)
        }
        return location
    }

    private func locate64(locator: Int) throws -> Location {
        let end = try position(try field(bytes, locator + 8))
        guard bytes.integer(at: end, as: UInt32.self) == 0x0606_4B50 else {
            throw damaged("its ZIP64 end record is missing")
        }
        return Location(
            entryCount: try position(try field(bytes, end + 32)),
            size: try position(try field(bytes, end + 40)),
            offset: try position(try field(bytes, end + 48)))
    }

    private func entry(in directory: ByteSlice, at start: Int) throws -> (ZipEntry, length: Int) {
        guard directory.integer(at: start, as: UInt32.self) == 0x0201_4B50 else {
            throw damaged("its directory is broken at byte \(start)")
        }
        let flags: UInt16 = try field(directory, start + 8)
        let nameLength = Int(try field(directory, start + 28) as UInt16)
        let extraLength = Int(try field(directory, start + 30) as UInt16)
        let commentLength = Int(try field(directory, start + 32) as UInt16)
        let extraStart = start + 46 + nameLength
        guard extraStart + extraLength + commentLength <= directory.count else {
            throw damaged("its directory is cut short at byte \(start)")
        }
        let sizes = try sizes64(
            in: directory[extraStart..<extraStart + extraLength],
            narrow: [
                try field(directory, start + 24), try field(directory, start + 20),
                try field(directory, start + 42),
            ])
        let entry = ZipEntry(
            name: directory[start + 46..<extraStart].withBytes { decodeZipName($0) },
            size: sizes[0], compressedSize: sizes[1], crc32: try field(directory, start + 16),
            method: try field(directory, start + 10), isEncrypted: flags & 0x2041 != 0, headerOffset: sizes[2]
        )
        return (entry, 46 + nameLength + extraLength + commentLength)
    }

    /// Size, compressed size and offset; those that do not fit 32 bits stand in the ZIP64 extra field, in order.
    private func sizes64(in extra: ByteSlice, narrow: [UInt32]) throws -> [Int] {
        var wide: ByteSlice?
        var position = 0
        while let tag = extra.integer(at: position, as: UInt16.self),
            let length = extra.integer(at: position + 2, as: UInt16.self)
        {
            let end = position + 4 + Int(length)
            guard end <= extra.count else { break }
            if tag == 1 { wide = extra[position + 4..<end] }
            position = end
        }
        var next = 0
        return try narrow.map { value in
            guard value == 0xFFFF_FFFF, let wide else { return Int(value) }
            defer { next += 8 }
            return try self.position(try field(wide, next))
        }
    }

    /// Refuses names that point outside a folder, names that occur twice, and entries that share data, which is
    /// how a small file claims to hold petabytes.
    private func check(_ entries: [ZipEntry], dataEnd: Int) throws {
        var seen = Set<String>(minimumCapacity: entries.count)
        for entry in entries {
            func refuse(_ problem: String) -> ArchiveError {
                ArchiveError(file: file, entry: entry.name, problem: problem)
            }
            guard isInside(entry.name) else {
                throw refuse("the name points outside the archive; it is refused")
            }
            guard seen.insert(entry.name).inserted else { throw refuse("the name occurs twice") }
            guard entry.headerOffset <= dataEnd - 30,
                entry.compressedSize <= dataEnd - 30 - entry.headerOffset
            else { throw refuse("its data lies outside the file, which may be cut short") }
            // Deflate cannot shrink data more than 1,032 times.
            let isPlausible =
                switch entry.method {
                case 0: entry.size == entry.compressedSize || entry.isEncrypted
                case 8: entry.size <= entry.compressedSize * 1032
                default: true
                }
            guard isPlausible else {
                throw refuse("\(entry.compressedSize) bytes cannot hold the \(entry.size) bytes claimed")
            }
        }
        let ordered = entries.sorted { $0.headerOffset < $1.headerOffset }
        for (entry, next) in zip(ordered, ordered.dropFirst())
        where entry.headerOffset + 30 + entry.compressedSize > next.headerOffset {
            throw ArchiveError(file: file, entry: next.name, problem: "shares data with \"\(entry.name)\"")
        }
    }

    private func isInside(_ name: String) -> Bool {
        guard !name.isEmpty, !name.hasPrefix("/"), !name.hasPrefix("\\"), !name.utf8.contains(0) else {
            return false
        }
        return !name.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }.contains("..")
    }

    private func field<Value: FixedWidthInteger>(_ bytes: ByteSlice, _ offset: Int) throws -> Value {
        guard let value = bytes.integer(at: offset, as: Value.self) else { throw damaged("it is cut short") }
        return value
    }

    private func position(_ value: UInt64) throws -> Int {
        guard let position = Int(exactly: value), position < 1 << 56 else {
            throw damaged("it claims a size of \(value) bytes")
        }
        return position
    }

    private func damaged(_ what: String) -> ArchiveError {
        ArchiveError(file: file, problem: "is no readable zip: \(what)")
    }
}
