import Archives
import Checkpoints
import TestSupport
import Testing

@testable import Images

/// A picture with a different value in nearly every sample.
func testImage(_ width: Int, _ height: Int, _ channels: Int, depth: Int = 8) -> Image {
    let count = width * height * channels
    return depth == 16
        ? Image(
            width: width, height: height, channels: channels,
            samples: (0..<count).map { UInt16(truncatingIfNeeded: $0 * 7_919) })
        : Image(
            width: width, height: height, channels: channels,
            samples: (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31) })
}

@Suite struct EncodeTests {
    @Test(arguments: [8, 16], [1, 2, 3, 4])
    func `a PNG gives back every sample`(depth: Int, channels: Int) throws {
        for (width, height) in [(1, 1), (7, 5), (33, 20)] {
            let image = testImage(width, height, channels, depth: depth)
            for compression in [0, 6, 9] {
                #expect(try Image(decoding: ByteSlice(image.pngBytes(compression: compression))) == image)
            }
        }
    }

    @Test func `texts come back in order, whatever their letters`() throws {
        var image = testImage(3, 2, 3)
        image.texts = [
            ImageText("sfumato:seed", "7"), ImageText("recipe", "schritte: 18\nführung: 1.5"),
            ImageText("title", "朦朧 — sfumato"), ImageText("empty", ""), ImageText("twice", "Ã©"),
            ImageText("long", String(repeating: "x", count: 100_000)),
        ]
        let texts = try Image(decoding: ByteSlice(image.pngBytes())).texts
        #expect(Set(texts) == Set(image.texts))
        #expect(texts == image.texts)
    }

    /// A TIFF block of one directory: the maker "ab", and an orientation.
    static func exif(orientation: UInt8, isLittle: Bool) -> [UInt8] {
        func number(_ value: Int, _ length: Int) -> [UInt8] {
            let digits = (0..<length).map { UInt8(value >> (8 * $0) & 0xFF) }
            return isLittle ? digits : digits.reversed()
        }
        let head = Array((isLittle ? "II" : "MM").utf8) + number(42, 2) + number(8, 4)
        let maker = number(0x010F, 2) + number(2, 2) + number(3, 4) + Array("ab\0\0".utf8)
        let turn = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(Int(orientation), 2) + [0, 0]
        return head + number(2, 2) + maker + turn + number(0, 4)
    }

    @Test(arguments: [true, false]) func `EXIF goes with the picture, which stands upright when it is read`(
        _ isLittle: Bool
    ) throws {
        var image = testImage(6, 4, 3)
        image.exif = Self.exif(orientation: 6, isLittle: isLittle)
        for bytes in [try image.pngBytes(), try image.jpegBytes(quality: 95)] {
            let upright = try Image(decoding: ByteSlice(bytes))
            #expect((upright.width, upright.height) == (4, 6))
            #expect(upright.exif == Self.exif(orientation: 1, isLittle: isLittle))
            // Read again it is not turned again.
            let again = try Image(decoding: ByteSlice(upright.pngBytes()))
            #expect(again == upright)
        }
        let turned = try Image(decoding: ByteSlice(image.pngBytes()))
        #expect(turned.samples == image.oriented(by: .turnClockwise).samples)
        #expect(turned.converted(to: .grey).exif == turned.exif)
    }

    @Test(arguments: [0, 7, 9, 12, 20, 31])
    func `EXIF cut short, or larger than a JPEG can hold, does no harm`(
        _ count: Int
    ) throws {
        var image = testImage(6, 4, 3)
        image.exif = Array(Self.exif(orientation: 6, isLittle: true).prefix(count))
        #expect(try Image(decoding: ByteSlice(image.pngBytes())).exif == image.exif)
        image.exif = [UInt8](repeating: 0, count: 70_000)
        #expect(try Image(decoding: ByteSlice(image.jpegBytes())).exif == nil)
        #expect(try Image(decoding: ByteSlice(image.pngBytes())).exif == image.exif)
    }

    @Test(arguments: ["", String(repeating: "k", count: 80), "朦朧"])
    func `an impossible keyword is refused`(keyword: String) {
        var image = testImage(3, 2, 3)
        image.texts = [ImageText(keyword, "text")]
        #expect(throws: ImageError.self) { try image.pngBytes() }
    }

    @Test(arguments: [1, 2, 3, 4], [Image.Chroma.full, .half])
    func `a JPEG is close to the picture`(channels: Int, chroma: Image.Chroma) throws {
        var samples: [UInt8] = []
        for pixel in 0..<37 * 21 {
            for channel in 0..<channels { samples.append(UInt8(60 + pixel % 37 * 3 + channel * 10)) }
        }
        let smooth = Image(width: 37, height: 21, channels: channels, samples: samples)
        let back = try Image(decoding: ByteSlice(smooth.jpegBytes(quality: 95, chroma: chroma)))
        #expect(back.channels == (channels < 3 ? 1 : 3))
        let expected = smooth.converted(to: channels < 3 ? .grey : .rgb).bytes
        let worst = zip(expected, back.bytes).map { abs(Int($0) - Int($1)) }.max() ?? 0
        #expect(worst <= 8)
    }

    @Test func `a better quality makes a larger file, and no quality outside 1 to 100 exists`() throws {
        let image = testImage(40, 30, 3)
        let sizes = try [10, 50, 90, 100].map { try image.jpegBytes(quality: $0).count }
        #expect(sizes == sizes.sorted())
        #expect(throws: ImageError.self) { try image.jpegBytes(quality: 0) }
        #expect(throws: ImageError.self) { try image.jpegBytes(quality: 101) }
    }

    @Test func `the extension picks the format, and an unknown one is refused`() throws {
        try withTemporaryFolder { folder in
            let image = testImage(5, 4, 3)
            try image.write(to: folder + "/a.PNG")
            try image.write(to: folder + "/b.jpeg")
            #expect(try Image(path: folder + "/a.PNG") == image)
            #expect(try bytes(of: folder + "/b.jpeg").prefix(2) == [0xFF, 0xD8])
            #expect(throws: ImageError.self) { try image.write(to: folder + "/c.webp") }
            #expect(throws: FileError.self) { try image.write(to: folder + "/none/d.png") }
            #expect(try folderContents(folder) == ["a.PNG", "b.jpeg"])
        }
    }
}
