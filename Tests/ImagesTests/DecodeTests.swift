import Archives
import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Images

/// Files whose pixels Pillow has told us: this repository's, and the full set's where it is.
enum Pillow {
    static let folder = joinPath(TestData.vendored, "images")
    static let expected = joinPath(folder, "expected.safetensors")

    static func files(in folder: String) -> [String] {
        ((try? folderContents(folder)) ?? []).filter { $0.hasSuffix(".png") || $0.hasSuffix(".jpg") }
    }

    static let fullFolder = TestData.fixture("metrics/files/images")
    static let fullExpected = TestData.fixture("metrics/images_expected.safetensors")
}

@Suite struct DecodeTests {
    @Test(arguments: Pillow.files(in: Pillow.folder))
    func `pixels equal Pillow's`(file: String) throws {
        let image = try Image(path: joinPath(Pillow.folder, file))
        let expected = try SafetensorsFile(path: Pillow.expected)
        let pixels = try expected.tensor(named: "output." + file)
        #expect([image.height, image.width, 3] == pixels.shape)
        #expect(image.rgb.bytes == pixels.bytes.array)
        if let withAlpha = expected["output." + file + ".rgba"] {
            #expect(image.eightBit().converted(to: .rgba).bytes == withAlpha.bytes.array)
        } else {
            #expect(!image.hasAlpha)
        }
    }

    @Test(
        .enabled(if: fileExists(Pillow.fullExpected), "SFUMATO_FIXTURES has no metrics/images_expected"),
        arguments: Pillow.files(in: Pillow.fullFolder))
    func `pixels equal the reference set's`(file: String) throws {
        let image = try Image(path: joinPath(Pillow.fullFolder, file))
        let pixels = try SafetensorsFile(path: Pillow.fullExpected).tensor(named: "output." + file)
        // Pillow clips 16-bit grey, where we keep the high byte.
        let rule: SixteenBitRule = image.channels == 1 ? .clipped : .highByte
        #expect(image.eightBit(rule).converted(to: .rgb).bytes == pixels.bytes.array)
    }

    @Test func `sixteen bits stay sixteen bits`() throws {
        let image = try Image(path: joinPath(Pillow.folder, "rgb16_interlaced.png"))
        #expect(image.bitDepth == 16 && image[2, 1][0] == 38 * 257 + 3)
        #expect(image.rgb.bytes[(1 * 13 + 2) * 3] == 38)
    }

    @Test func `contents decide, not the name`() throws {
        let jpeg = try bytes(of: joinPath(Pillow.folder, "turn1.jpg"))
        try withTemporaryFolder { folder in
            try AtomicFile.write(jpeg, to: folder + "/picture.png")
            #expect(try Image(path: folder + "/picture.png").width == 13)
        }
    }

    @Test(arguments: [
        ([], ImageError.Kind.truncated, "empty"),
        (Array("hello, world".utf8), .notAnImage, "not an image"),
        (Array("GIF89a......".utf8), .unsupported, "GIF"),
        ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], .truncated, "PNG"),
        ([0xFF, 0xD8, 0xFF, 0xE0], .truncated, "JPEG"),
    ])
    func `what is no image is an error that names the file`(
        data: [UInt8], kind: ImageError.Kind, word: String
    ) {
        let error = #expect(throws: ImageError.self) { try Image(decoding: ByteSlice(data), name: "x/y.png") }
        #expect(error?.kind == kind)
        #expect(error?.description.hasPrefix("x/y.png: ") == true)
        #expect(error?.description.contains(word) == true)
    }

    @Test func `a file that is not there says so`() {
        #expect(throws: FileError.self) { try Image(path: "/nowhere/picture.png") }
    }

    @Test(arguments: ["rgb8_interlaced.png", "turn1.jpg"])
    func `more pixels than allowed are refused before memory is taken`(file: String) throws {
        let data = ByteSlice(try bytes(of: joinPath(Pillow.folder, file)))
        #expect(try Image(decoding: data, pixelLimit: 117).pixelCount == 117)
        let error = #expect(throws: ImageError.self) { try Image(decoding: data, pixelLimit: 116) }
        #expect(error?.kind == .tooLarge)
        #expect(error?.description.contains("13×9") == true)
    }

    @Test func `a header that claims two billion pixels a side is refused`() throws {
        var data = try bytes(of: joinPath(Pillow.folder, "grey1.png"))
        let header: [UInt8] = [
            0x49, 0x48, 0x44, 0x52, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0,
        ]
        let checksum = header.withUnsafeBytes { crc32($0) }
        data.replaceSubrange(
            12..<33, with: header + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (24 - 8 * $0)) })
        #expect(throws: ImageError.self) { try Image(decoding: ByteSlice(data)) }
    }

    @Test(arguments: Pillow.files(in: Pillow.folder))
    func `damage anywhere is an error or other pixels, never a crash`(file: String) throws {
        let data = try bytes(of: joinPath(Pillow.folder, file))
        for length in 0..<data.count {
            _ = try? Image(decoding: ByteSlice(Array(data[..<length])), name: file)
        }
        for place in data.indices {
            for change: UInt8 in [0xFF, 0x01] {
                var damaged = data
                damaged[place] ^= change
                _ = try? Image(decoding: ByteSlice(damaged), name: file, pixelLimit: 1 << 20)
            }
        }
    }

    @Test func `many threads decode at once`() throws {
        let files = Pillow.files(in: Pillow.folder)
        let data = try files.map { ByteSlice(try bytes(of: joinPath(Pillow.folder, $0))) }
        let alone = try data.map { try Image(decoding: $0) }
        let wrong = Reported()
        DispatchQueue.concurrentPerform(iterations: 400) { n in
            let place = n % data.count
            if (try? Image(decoding: data[place])) != alone[place] { wrong.add(files[place]) }
        }
        #expect(wrong.names.isEmpty)
    }
}

/// Names collected from several threads.
private final class Reported: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [String] = []
    var names: [String] { lock.withLock { list } }
    func add(_ name: String) { lock.withLock { list.append(name) } }
}
