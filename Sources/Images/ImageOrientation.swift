/// How to turn a stored picture upright: the EXIF tag 0x0112 (CIPA DC-008, section 4.6.4).
public enum ImageOrientation: Int, Sendable, CaseIterable {
    case upright = 1
    case mirrored = 2
    case upsideDown = 3
    case mirroredUpsideDown = 4
    case transposed = 5
    case turnClockwise = 6
    case transversed = 7
    case turnCounterclockwise = 8

    /// Whether the upright picture has the stored one's width as its height.
    public var swapsSides: Bool { rawValue >= 5 }

    /// The orientation recorded in a file, or nil when it says nothing or the picture is already upright.
    init?(format: ImageFormat, bytes: UnsafeRawBufferPointer) {
        let exif =
            switch format {
            case .jpeg: Self.exifSegment(ofJPEG: bytes)
            case .png: Self.exifChunk(ofPNG: bytes)
            }
        guard let exif, let value = Self.tag(inTIFF: exif), let found = Self(rawValue: value),
            found != .upright
        else { return nil }
        self = found
    }

    /// The TIFF block behind `Exif\0\0` in an APP1 segment before the first scan.
    private static func exifSegment(ofJPEG bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var position = 2
        while position + 4 <= bytes.count, bytes[position] == 0xFF {
            let marker = bytes[position + 1]
            if marker == 0xFF {
                position += 1
                continue
            }
            if marker == 0xDA || marker == 0xD9 { return nil }
            let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
            let end = position + 2 + length
            guard length >= 2, end <= bytes.count else { return nil }
            let body = UnsafeRawBufferPointer(rebasing: bytes[(position + 4)..<end])
            if marker == 0xE1, body.count > 6, body.prefix(6).elementsEqual(Array("Exif\0\0".utf8)) {
                return UnsafeRawBufferPointer(rebasing: body[6...])
            }
            position = end
        }
        return nil
    }

    /// The body of an eXIf chunk before the end of the file.
    private static func exifChunk(ofPNG bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var position = 8
        while position + 12 <= bytes.count {
            let length = Int(bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).bigEndian)
            guard position + 12 + length <= bytes.count else { return nil }
            if bytes[(position + 4)..<(position + 8)].elementsEqual(Array("eXIf".utf8)) {
                return UnsafeRawBufferPointer(rebasing: bytes[(position + 8)..<(position + 8 + length)])
            }
            position += 12 + length
        }
        return nil
    }

    /// The value of tag 0x0112 in the first directory.
    private static func tag(inTIFF bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 8 else { return nil }
        let isLittle = bytes[0] == 0x49
        func word(_ offset: Int) -> Int? {
            guard offset >= 0, offset + 2 <= bytes.count else { return nil }
            let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
            return Int(isLittle ? value.littleEndian : value.bigEndian)
        }
        let offset = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let directory = Int(isLittle ? offset.littleEndian : offset.bigEndian)
        guard let count = word(directory) else { return nil }
        for entry in 0..<count {
            let start = directory + 2 + entry * 12
            guard let tag = word(start) else { return nil }
            if tag == 0x0112 { return word(start + 8) }
        }
        return nil
    }
}

extension Image {
    /// The picture turned or mirrored so that one stored with `orientation` stands upright.
    public func oriented(by orientation: ImageOrientation) -> Image {
        let (w, h) = (width, height)
        // Where the upright pixel (x, y) was stored.
        return switch orientation {
        case .upright: self
        case .mirrored: rearranged(width: w, height: h) { x, y in (w - 1 - x, y) }
        case .upsideDown: rearranged(width: w, height: h) { x, y in (w - 1 - x, h - 1 - y) }
        case .mirroredUpsideDown: rearranged(width: w, height: h) { x, y in (x, h - 1 - y) }
        case .transposed: rearranged(width: h, height: w) { x, y in (y, x) }
        case .turnClockwise: rearranged(width: h, height: w) { x, y in (y, h - 1 - x) }
        case .transversed: rearranged(width: h, height: w) { x, y in (w - 1 - y, h - 1 - x) }
        case .turnCounterclockwise: rearranged(width: h, height: w) { x, y in (w - 1 - y, x) }
        }
    }
}
