/// A file format, told by its first bytes: a file's name proves nothing.
public enum ImageFormat: String, Sendable, CaseIterable {
    case png = "PNG"
    case jpeg = "JPEG"

    /// The format that `bytes` begin with, or nil when it is none of ours.
    public init?(sniffing bytes: UnsafeRawBufferPointer) {
        switch Signature.all.first(where: { $0.matches(bytes) })?.name {
        case "PNG": self = .png
        case "JPEG": self = .jpeg
        default: return nil
        }
    }

    /// The error for bytes that are no image we read, which names the format when it is a known one.
    static func rejection(of bytes: UnsafeRawBufferPointer, name: String) -> ImageError {
        if bytes.isEmpty {
            return ImageError(.truncated, name, "the file is empty", remedy: "replace it")
        }
        if let known = Signature.all.first(where: { $0.matches(bytes) }) {
            return ImageError(
                .unsupported, name, "it is a \(known.name) file, and PNG and JPEG are read",
                remedy: "convert it to PNG")
        }
        return ImageError(
            .notAnImage, name, "its contents are not an image", remedy: "give a PNG or JPEG file")
    }
}

/// The bytes a format begins with.
private struct Signature {
    let name: String
    var offset = 0
    let bytes: [UInt8]

    init(_ name: String, _ bytes: [UInt8], offset: Int = 0) {
        self.name = name
        self.bytes = bytes
        self.offset = offset
    }

    func matches(_ data: UnsafeRawBufferPointer) -> Bool {
        data.count >= offset + bytes.count && bytes.indices.allSatisfy { data[offset + $0] == bytes[$0] }
    }

    static let all = [
        Signature("PNG", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
        Signature("JPEG", [0xFF, 0xD8, 0xFF]),
        Signature("GIF", Array("GIF8".utf8)),
        Signature("WebP", Array("WEBP".utf8), offset: 8),
        Signature("AVIF or HEIC", Array("ftyp".utf8), offset: 4),
        Signature("BMP", Array("BM".utf8)),
        Signature("TIFF", [0x49, 0x49, 0x2A, 0x00]),
        Signature("TIFF", [0x4D, 0x4D, 0x00, 0x2A]),
        Signature("JPEG 2000", [0x00, 0x00, 0x00, 0x0C, 0x6A, 0x50]),
        Signature("PNM", Array("P6".utf8)),
        Signature("PNM", Array("P5".utf8)),
        Signature("NumPy", [0x93, 0x4E, 0x55, 0x4D]),
        Signature("ZIP", [0x50, 0x4B, 0x03, 0x04]),
    ]
}
