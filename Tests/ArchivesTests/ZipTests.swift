import Archives
import TestSupport
import Testing

@Suite struct ZipTests {
    private static let files: [(name: String, bytes: [UInt8])] = [
        ("cat/1.png", (0..<5000).map { UInt8(truncatingIfNeeded: $0 / 7) }),
        ("empty", []),
        ("dog/ä.png", [1, 2, 3]),
        ("noise", (0..<70_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }),
    ]

    private func zip(in folder: String, _ method: ZipWriter.Method = .deflate) throws -> String {
        let path = folder + "/a.zip"
        let writer = try ZipWriter(path: path)
        for file in Self.files { try writer.add(file.name, file.bytes, method: method) }
        try writer.finish()
        return path
    }

    @Test(arguments: [ZipWriter.Method.stored, .deflate])
    func `what is written is read back in order`(_ method: ZipWriter.Method) throws {
        try withTemporaryFolder { folder in
            let archive = try ZipArchive(path: try zip(in: folder, method))
            #expect(archive.entries.map(\.name) == Self.files.map(\.name))
            for file in Self.files { #expect(try archive.contents(named: file.name).array == file.bytes) }
        }
    }

    @Test func `equal contents give equal bytes`() throws {
        try withTemporaryFolder { folder in
            let first = try bytes(of: try zip(in: folder))
            #expect(try bytes(of: try zip(in: folder)) == first)
        }
    }

    @Test func `many threads read at once`() async throws {
        let archive = try withTemporaryFolder { try ZipArchive(path: try zip(in: $0)) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<64 {
                group.addTask {
                    let file = Self.files[index % Self.files.count]
                    return try archive.contents(named: file.name).array == file.bytes
                }
            }
            for try await isEqual in group { #expect(isEqual) }
        }
    }

    @Test func `every damaged byte is noticed or harmless, never a crash`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.zip"
            let writer = try ZipWriter(path: path)
            try writer.add("a", [UInt8](repeating: 65, count: 300))
            try writer.add("b", Array("stored text".utf8), method: .stored)
            try writer.finish()
            let sound = try bytes(of: path)
            for position in sound.indices {
                for flip: UInt8 in [0x01, 0x80, 0xFF] {
                    var damaged = sound
                    damaged[position] ^= flip
                    do {
                        let archive = try ZipArchive(ByteSlice(damaged), file: "d.zip")
                        for entry in archive.entries {
                            let contents = try archive.contents(of: entry, limit: 1000).array
                            #expect(
                                contents == Array("stored text".utf8)
                                    || contents == [UInt8](repeating: 65, count: 300))
                        }
                    } catch is ArchiveError {}
                }
            }
        }
    }

    @Test func `a file cut short anywhere is refused`() throws {
        try withTemporaryFolder { folder in
            let sound = try bytes(of: try zip(in: folder))
            for count in stride(from: 0, to: sound.count, by: 97) {
                #expect(throws: ArchiveError.self) {
                    try ZipArchive(ByteSlice(Array(sound[..<count])), file: "cut.zip")
                }
            }
        }
    }

    @Test(arguments: ["../evil", "/etc/passwd", "a/../../b", "..\\evil", "a\\..\\..\\b", "\\x"])
    func `names that point outside are refused`(_ name: String) throws {
        try withTemporaryFolder { folder in
            let writer = try ZipWriter(path: folder + "/a.zip")
            try writer.add(name, [1])
            try writer.finish()
            let error = #expect(throws: ArchiveError.self) { try ZipArchive(path: folder + "/a.zip") }
            #expect(error?.entry == name)
        }
    }

    @Test func `a claimed size that deflate cannot reach is refused before any memory is taken`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.zip"
            let writer = try ZipWriter(path: path)
            try writer.add("bomb", [UInt8](repeating: 0, count: 100_000))
            try writer.finish()
            var bytes = try bytes(of: path)
            let directory = try #require(position(of: [0x50, 0x4B, 1, 2], in: bytes))
            for (offset, byte) in [0xF0, 0xFF, 0xFF, 0x7F].enumerated() {
                bytes[directory + 24 + offset] = UInt8(byte)
            }
            let error = #expect(throws: ArchiveError.self) {
                try ZipArchive(ByteSlice(bytes), file: "bomb.zip")
            }
            #expect(error?.description.contains("cannot hold the 2147483632 bytes claimed") == true)
        }
    }

    @Test func `entries that share data are refused`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.zip"
            let writer = try ZipWriter(path: path)
            try writer.add("a", [UInt8](repeating: 1, count: 500), method: .stored)
            try writer.add("b", [2], method: .stored)
            try writer.finish()
            var bytes = try bytes(of: path)
            let first = try #require(position(of: [0x50, 0x4B, 1, 2], in: bytes))
            let second = first + 47
            for offset in 42..<46 { bytes[second + offset] = 0 }
            let error = #expect(throws: ArchiveError.self) { try ZipArchive(ByteSlice(bytes), file: "s.zip") }
            #expect(error?.problem.contains("shares data") == true)
        }
    }

    @Test(arguments: [(6, UInt8(1), "encrypted"), (8, 12, "method 12")])
    func `what cannot be read says why`(_ offset: Int, _ value: UInt8, _ reason: String) throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.zip"
            let writer = try ZipWriter(path: path)
            try writer.add("a", [1, 2, 3], method: .stored)
            try writer.finish()
            var bytes = try bytes(of: path)
            let directory = try #require(position(of: [0x50, 0x4B, 1, 2], in: bytes))
            bytes[directory + offset + 2] = value
            let archive = try ZipArchive(ByteSlice(bytes), file: "a.zip")
            let error = #expect(throws: ArchiveError.self) { try archive.contents(of: archive.entries[0]) }
            #expect(error?.description.contains(reason) == true)
        }
    }

    @Test func `a limit on the size of an entry holds`() throws {
        try withTemporaryFolder { folder in
            let archive = try ZipArchive(path: try zip(in: folder))
            #expect(throws: ArchiveError.self) { try archive.contents(named: "noise", limit: 70_000) }
        }
    }

    @Test func `more entries than 16 bits count need ZIP64 and are read back`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/many.zip"
            let writer = try ZipWriter(path: path)
            for index in 0..<66_000 {
                try writer.add("\(index)", [UInt8(truncatingIfNeeded: index)], method: .stored)
            }
            try writer.finish()
            let archive = try ZipArchive(path: path)
            #expect(archive.entries.count == 66_000)
            #expect(try archive.contents(named: "65999").array == [UInt8(truncatingIfNeeded: 65_999)])
        }
    }

    @Test func `other text is no zip`() {
        let error = #expect(throws: ArchiveError.self) {
            try ZipArchive(ByteSlice(Array("hello".utf8)), file: "x.zip")
        }
        #expect(error?.description == "x.zip: is not a zip file, or is cut short (no end record)")
    }

    @Test(.enabled(if: TestData.data.map { fileExists($0 + "/cifar10/test.zip") } ?? false))
    func `the images of a real archive are all sound`() throws {
        let archive = try ZipArchive(path: try #require(TestData.data) + "/cifar10/test.zip")
        let images = archive.entries.filter { !$0.isFolder }
        #expect(images.count >= 10_000)
        for entry in images.prefix(500) { #expect(try archive.contents(of: entry).count == entry.size) }
    }
}

@Suite struct GzipTests {
    /// `printf 'hello hello hello\n' | gzip -n`
    private static let hello: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8,
        0x40,
        0x90, 0x5C, 0x00, 0x3B, 0x7C, 0x8A, 0xDF, 0x12, 0x00, 0x00, 0x00,
    ]

    @Test func `members are joined, trailing zeros ignored`() throws {
        let text = "hello hello hello\n"
        #expect(try Gzip.inflate(ByteSlice(Self.hello), file: "x.gz") == Array(text.utf8))
        let twice = Self.hello + Self.hello + [0, 0, 0]
        #expect(try Gzip.inflate(ByteSlice(twice), file: "x.gz") == Array((text + text).utf8))
    }

    @Test func `short, damaged, oversized and foreign data are refused`() {
        let short = ByteSlice(Array(Self.hello.dropLast(5)))
        #expect(throws: ArchiveError.self) { try Gzip.inflate(short, file: "x.gz") }
        var damaged = Self.hello
        damaged[22] ^= 1
        #expect(throws: ArchiveError.self) { try Gzip.inflate(ByteSlice(damaged), file: "x.gz") }
        #expect(throws: ArchiveError.self) {
            try Gzip.inflate(ByteSlice(Self.hello), file: "x.gz", limit: 17)
        }
        #expect(throws: ArchiveError.self) { try Gzip.inflate(ByteSlice([1, 2, 3]), file: "x.gz") }
    }
}

private func position(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
    bytes.indices.first { bytes[$0...].starts(with: pattern) }
}
