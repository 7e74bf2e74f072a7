import Archives
import Glibc
import TestSupport
import Testing

@Suite struct ChecksumTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `SHA-256 gives the standard's digests`(_ text: String, _ digest: String) {
        #expect(SHA256.hexadecimal(ByteSlice(Array(text.utf8))) == digest)
    }

    @Test func `SHA-256 of a million letters, fed in uneven pieces`() {
        let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        var hash = SHA256()
        letters.withUnsafeBytes { all in
            var start = 0
            for step in sequence(first: 1, next: { $0 * 2 + 1 }) where start < all.count {
                let end = min(start + step, all.count)
                hash.update(UnsafeRawBufferPointer(rebasing: all[start..<end]))
                start = end
                if start == all.count { break }
            }
        }
        #expect(hash.hexadecimal() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func `SHA-256 of every length around a block agrees with feeding byte by byte`() {
        for count in 0...130 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            var hash = SHA256()
            for byte in bytes { [byte].withUnsafeBytes { hash.update($0) } }
            #expect(hash.hexadecimal() == SHA256.hexadecimal(ByteSlice(bytes)), "\(count) bytes")
        }
    }

    @Test func `CRC-32 and CRC-32C give their check values`() {
        let digits = Array("123456789".utf8)
        #expect(digits.withUnsafeBytes { crc32($0) } == 0xCBF4_3926)
        #expect(CRC32C.checksum(digits) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    }
}

@Suite struct AtomicFileTests {
    @Test func `appears only when committed and replaces the old file whole`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.bin"
            try AtomicFile.write("old", to: path)
            let file = try AtomicFile(path: path)
            try file.write([UInt8](repeating: 7, count: 1_000_000))
            #expect(try bytes(of: path) == Array("old".utf8))
            try file.commit()
            #expect(try bytes(of: path) == [UInt8](repeating: 7, count: 1_000_000))
            #expect(try folderContents(folder) == ["a.bin"])
        }
    }

    @Test func `leaves nothing behind when dropped`() throws {
        try withTemporaryFolder { folder in
            do {
                let file = try AtomicFile(path: folder + "/a.bin")
                try file.write(Array("half".utf8))
            }
            #expect(try folderContents(folder) == [])
        }
    }

    /// A limit on file size fails a write half-way just as a full disk does, and needs no small disk.
    @Test func `a write that fails half-way leaves the old file and nothing else`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryFolder { folder in
                let path = folder + "/a.bin"
                try AtomicFile.write("old", to: path)
                signal(SIGXFSZ, SIG_IGN)
                var limit = rlimit(rlim_cur: 500_000, rlim_max: 500_000)
                setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
                let failure = FileError(path: path, action: "write", code: EFBIG)
                #expect(throws: failure) {
                    try AtomicFile.write([UInt8](repeating: 1, count: 1_000_000), to: path)
                }
                #expect(try bytes(of: path) == Array("old".utf8))
                #expect(try folderContents(folder) == ["a.bin"])
                guard try folderContents(folder) == ["a.bin"] else { exit(1) }
            }
        }
    }

    @Test func `the error of a full disk says what to do`() {
        let error = FileError(path: "run/x.safetensors", action: "write", code: ENOSPC)
        let text =
            "run/x.safetensors: cannot write: the disk is full; free some space or choose another folder"
        #expect("\(error)" == text)
    }

    @Test func `a missing folder, and a folder in the file's place, are refused by name`() throws {
        try withTemporaryFolder { folder in
            let missing = folder + "/no/a.bin"
            #expect(throws: FileError(path: missing, action: "write", code: 2)) {
                try AtomicFile(path: missing)
            }
            #expect(throws: FileError(path: folder, action: "write", code: 21)) {
                try AtomicFile(path: folder)
            }
        }
    }

    @Test func `makes folders as deep as asked, and refuses a file in the way`() throws {
        try withTemporaryFolder { folder in
            try makeFolder(folder + "/a/b/c")
            try makeFolder(folder + "/a/b/c")
            #expect(try folderContents(folder + "/a/b") == ["c"])
            try AtomicFile.write("x", to: folder + "/file")
            #expect(throws: FileError.self) { try makeFolder(folder + "/file/d") }
        }
    }
}

@Suite struct MappedFileTests {
    @Test(arguments: [0, 1, 4096, 5000])
    func `shows a file's bytes`(_ count: Int) throws {
        try withTemporaryFolder { folder in
            let expected = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try AtomicFile.write(expected, to: folder + "/x")
            #expect(try MappedFile(path: folder + "/x").slice.array == expected)
        }
    }

    @Test func `an absent file and a folder are named`() throws {
        #expect(throws: FileError(path: "/nowhere/x", action: "read", code: 2)) {
            try MappedFile(path: "/nowhere/x")
        }
        #expect(throws: FileError(path: "/tmp", action: "read", code: 21)) { try MappedFile(path: "/tmp") }
    }

    @Test func `integers are read in little-endian order and never past the end`() {
        let slice = ByteSlice([1, 2, 3, 4, 5])
        #expect(slice.integer(at: 1, as: UInt32.self) == 0x0504_0302)
        #expect(slice.integer(at: 2, as: UInt32.self) == nil)
        #expect(slice.integer(at: -1, as: UInt8.self) == nil)
        #expect(slice[1..<4][1..<3].array == [3, 4])
    }
}
