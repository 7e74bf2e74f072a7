import Archives
import CCodecs
import Glibc

extension Image {
    /// The most pixels that are decoded unless the caller says otherwise: twice the 89,478,485 at which Pillow
    /// begins to warn of decompression bombs, the number at which it refuses.
    public static let pixelLimit = 178_956_970

    /// Decodes a PNG or JPEG file, whatever its name says, and turns it upright by its EXIF orientation.
    ///
    /// What comes out is what Pillow gives: 1, 2 and 4 bit grey is widened to 8 bits, palettes become RGB,
    /// transparency becomes an alpha channel, 16 bit stays 16 bit, and CMYK JPEGs become RGB by Pillow's formula.
    /// - Throws: `FileError` when the file cannot be read, `ImageError` when it is no sound image; both name it.
    public init(path: String, pixelLimit: Int = Image.pixelLimit) throws {
        let file = try MappedFile(path: path)
        self = try file.withBytes { try Image(decoding: $0, name: path, pixelLimit: pixelLimit) }
    }

    /// Decodes the bytes of a PNG or JPEG file; see `init(path:pixelLimit:)`.
    /// - Parameter name: what errors call the bytes: a file, or a member of an archive.
    public init(decoding bytes: ByteSlice, name: String = "image", pixelLimit: Int = Image.pixelLimit) throws
    {
        self = try bytes.withBytes { try Image(decoding: $0, name: name, pixelLimit: pixelLimit) }
    }

    /// Decodes bytes in place; see `init(path:pixelLimit:)`.
    public init(
        decoding bytes: UnsafeRawBufferPointer, name: String = "image", pixelLimit: Int = Image.pixelLimit
    ) throws {
        guard let format = ImageFormat(sniffing: bytes) else {
            throw ImageFormat.rejection(of: bytes, name: name)
        }
        var decoded = sf_image()
        let base = bytes.bindMemory(to: UInt8.self).baseAddress
        let limit = UInt64(max(pixelLimit, 0))
        let status =
            switch format {
            case .png: sf_png_decode(base, bytes.count, limit, &decoded)
            case .jpeg: sf_jpeg_decode(base, bytes.count, limit, &decoded)
            }
        defer { sf_image_free(&decoded) }
        guard status == SF_OK else {
            throw Image.error(status, decoded, format: format, name: name, limit: pixelLimit)
        }
        self.init(adopting: decoded)
        guard var block = ExifBlock(format: format, file: bytes) else { return }
        if let turn = block.orientation { self = oriented(by: turn) }
        block.setUpright()
        exif = block.bytes
    }

    private init(adopting decoded: sf_image) {
        let (width, height) = (Int(decoded.width), Int(decoded.height))
        let count = width * height * Int(decoded.channels)
        if decoded.is_cmyk != 0 {
            let inks = UnsafeBufferPointer(start: decoded.pixels, count: count)
            self.init(width: width, height: height, channels: 3, samples: Image.rgb(fromInvertedInks: inks))
        } else if decoded.bit_depth == 16 {
            let words = UnsafeRawBufferPointer(start: decoded.pixels, count: count * 2).bindMemory(
                to: UInt16.self)
            self.init(
                width: width, height: height, channels: Int(decoded.channels),
                samples: .sixteenBit(Array(words)))
        } else {
            let bytes = UnsafeBufferPointer(start: decoded.pixels, count: count)
            self.init(
                width: width, height: height, channels: Int(decoded.channels),
                samples: .eightBit(Array(bytes)))
        }
        texts = UnsafeBufferPointer(start: decoded.texts, count: Int(decoded.text_count)).map(ImageText.init)
    }

    private static func error(
        _ status: sf_status, _ decoded: sf_image, format: ImageFormat, name: String, limit: Int
    ) -> ImageError {
        let message = withUnsafeBytes(of: decoded.message) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let kind = format.rawValue
        return switch status {
        case SF_TRUNCATED:
            ImageError(
                .truncated, name, "this \(kind) file ends too early", remedy: "copy or download it again")
        case SF_TOO_LARGE:
            ImageError(
                .tooLarge, name, "it claims \(decoded.width)×\(decoded.height) pixels, \(limit) are allowed",
                remedy: "shrink it, or raise the limit if you trust it")
        case SF_NO_MEMORY:
            ImageError(
                .tooLarge, name, "there is no memory for \(decoded.width)×\(decoded.height) pixels",
                remedy: "shrink it")
        case SF_UNSUPPORTED:
            ImageError(
                .unsupported, name, "this \(kind) file is of a rare kind: \(message)",
                remedy: "convert it to PNG")
        default:
            ImageError(
                .damaged, name, "this \(kind) file is damaged: \(message)", remedy: "replace it")
        }
    }
}

extension ImageText {
    /// A chunk as libpng gives it: iTXt in UTF-8, tEXt in Latin-1.
    fileprivate init(_ chunk: sf_text) {
        func decode(_ text: UnsafePointer<CChar>) -> String {
            let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text))
            guard chunk.is_utf8 == 0 else { return String(decoding: bytes, as: UTF8.self) }
            return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
        self.init(decode(chunk.key), decode(chunk.value))
    }
}
