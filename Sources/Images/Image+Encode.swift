import Archives
import CCodecs
import Glibc

extension Image {
    /// How finely a JPEG stores colour.
    public enum Chroma: Sendable {
        /// Every pixel has its colour (4:4:4).
        case full
        /// Colour at half the resolution in both directions (4:2:0), as cameras and Pillow do.
        case half
    }

    /// A PNG file of this image: 8 or 16 bits, grey or RGB, with alpha if it has one, and its `texts` and
    /// `exif`.
    /// - Parameter compression: 0 (none) to 9 (smallest).
    /// - Throws: `ImageError` when a keyword is not 1 to 79 Latin-1 characters, or memory runs out.
    public func pngBytes(compression: Int = 6, name: String = "image") throws -> [UInt8] {
        var chunks: [sf_text] = []
        defer {
            for chunk in chunks {
                chunk.key.deallocate()
                chunk.value.deallocate()
            }
        }
        for text in texts { chunks.append(try text.chunk(name: name)) }

        var file = sf_file()
        let status = withRawSamples { pixels in
            sf_png_encode(
                pixels, Int32(width), Int32(height), Int32(channels), Int32(bitDepth),
                Int32(min(max(compression, 0), 9)), chunks, Int32(chunks.count), &file)
        }
        let bytes = try Self.adopt(&file, status, name: name)
        return exif.map { ExifBlock.insert($0, intoPNG: bytes) } ?? bytes
    }

    /// A JPEG file of this image, after reducing it to 8 bits and dropping alpha, with its `exif` where that is below
    /// 64 KiB.
    /// - Parameter quality: 1 (worst) to 100.
    public func jpegBytes(quality: Int = 90, chroma: Chroma = .half, name: String = "image") throws -> [UInt8]
    {
        guard (1...100).contains(quality) else {
            throw ImageError(
                .cannotEncode, name, "JPEG quality \(quality) does not exist", remedy: "give 1 to 100")
        }
        let plain = eightBit().converted(to: channels < 3 ? .grey : .rgb)
        var file = sf_file()
        let status = plain.withRawSamples { pixels in
            sf_jpeg_encode(
                pixels, Int32(width), Int32(height), Int32(plain.channels), Int32(quality),
                chroma == .half ? 1 : 0,
                &file)
        }
        let bytes = try Self.adopt(&file, status, name: name)
        return exif.map { ExifBlock.insert($0, intoJPEG: bytes) } ?? bytes
    }

    /// Writes a PNG or JPEG file, as the name's extension says; the file appears complete or not at all.
    /// - Throws: `ImageError` for an unknown extension, `FileError` when the folder or the disk refuses.
    public func write(to path: String, quality: Int = 90) throws {
        let suffix = path.split(separator: "/").last?.split(separator: ".").last.map { $0.lowercased() } ?? ""
        let bytes =
            switch suffix {
            case "png": try pngBytes(name: path)
            case "jpg", "jpeg": try jpegBytes(quality: quality, name: path)
            default:
                throw ImageError(
                    .cannotEncode, path, "no format is known by the extension '\(suffix)'",
                    remedy: "use .png, .jpg or .jpeg")
            }
        try AtomicFile.write(bytes, to: path)
    }

    private func withRawSamples<Result>(_ body: (UnsafePointer<UInt8>?) -> Result) -> Result {
        func pass(_ raw: UnsafeRawBufferPointer) -> Result {
            body(raw.bindMemory(to: UInt8.self).baseAddress)
        }
        return switch samples {
        case .eightBit(let values): values.withUnsafeBytes(pass)
        case .sixteenBit(let values): values.withUnsafeBytes(pass)
        }
    }

    private static func adopt(_ file: inout sf_file, _ status: sf_status, name: String) throws -> [UInt8] {
        defer { sf_file_free(&file) }
        guard status == SF_OK, let bytes = file.bytes else {
            let message = withUnsafeBytes(of: file.message) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw ImageError(
                .cannotEncode, name, "encoding failed: \(message)", remedy: "make the image smaller")
        }
        return Array(UnsafeBufferPointer(start: bytes, count: file.count))
    }
}

extension ImageText {
    /// The chunk for libpng, whose strings the caller frees: tEXt where Latin-1 holds the text, else iTXt.
    fileprivate func chunk(name: String) throws -> sf_text {
        let key = keyword.unicodeScalars.map { UInt8(exactly: $0.value) }
        guard (1...79).contains(key.count), !key.contains(where: { $0 == nil || $0 == 0 }) else {
            throw ImageError(
                .cannotEncode, name, "'\(keyword)' cannot be a PNG keyword",
                remedy: "use 1 to 79 Latin-1 characters")
        }
        guard !text.unicodeScalars.contains("\0") else {
            throw ImageError(
                .cannotEncode, name, "the text under '\(keyword)' contains a zero character",
                remedy: "remove it")
        }
        let latin = text.unicodeScalars.map { UInt8(exactly: $0.value) }
        let isLatin = !latin.contains(nil)
        let value = isLatin ? latin.compactMap { $0 } : Array(text.utf8)
        return sf_text(key: cString(key.compactMap { $0 }), value: cString(value), is_utf8: isLatin ? 0 : 1)
    }

    private func cString(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        for (i, byte) in bytes.enumerated() { copy[i] = CChar(bitPattern: byte) }
        copy[bytes.count] = 0
        return copy
    }
}
