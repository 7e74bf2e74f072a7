import Archives

/// What a camera wrote beside a picture: a TIFF block as EXIF has it (CIPA DC-008), carried from file to file as it is
/// but for the orientation.
struct ExifBlock: Sendable {
    private(set) var bytes: [UInt8]

    /// The block of a file; nil where there is none.
    init?(format: ImageFormat, file: UnsafeRawBufferPointer) {
        let found =
            switch format {
            case .jpeg: Self.segment(ofJPEG: file)
            case .png: Self.chunk(ofPNG: file)
            }
        guard let found else { return nil }
        bytes = Array(found)
    }

    /// The orientation recorded, or nil when nothing is said or the picture is already upright.
    var orientation: ImageOrientation? {
        orientationValue.flatMap { ImageOrientation(rawValue: $0.value) }.flatMap {
            $0 == .upright ? nil : $0
        }
    }

    /// Says of a picture that was turned upright that it is.
    mutating func setUpright() {
        guard let (offset, isLittle, _) = orientationValue else { return }
        (bytes[offset], bytes[offset + 1]) = isLittle ? (1, 0) : (0, 1)
    }

    /// Tag 0x0112 of the first directory: where its value lies, and what it is.
    private var orientationValue: (offset: Int, isLittle: Bool, value: Int)? {
        guard bytes.count >= 8 else { return nil }
        let isLittle = bytes[0] == 0x49
        func number(_ offset: Int, length: Int) -> Int? {
            guard offset >= 0, offset + length <= bytes.count else { return nil }
            let digits = bytes[offset..<offset + length]
            return (isLittle ? Array(digits.reversed()) : Array(digits)).reduce(0) { $0 << 8 | Int($1) }
        }
        guard let directory = number(4, length: 4), let count = number(directory, length: 2) else {
            return nil
        }
        for entry in 0..<count {
            let start = directory + 2 + entry * 12
            guard let tag = number(start, length: 2) else { return nil }
            if tag == 0x0112 { return number(start + 8, length: 2).map { (start + 8, isLittle, $0) } }
        }
        return nil
    }

    private static let signature = Array("Exif\0\0".utf8)

    /// The block behind `Exif\0\0` in an APP1 segment before the first scan.
    private static func segment(ofJPEG bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer.SubSequence? {
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
            let body = bytes[(position + 4)..<end]
            if marker == 0xE1, body.count > 6, body.prefix(6).elementsEqual(signature) {
                return body.dropFirst(6)
            }
            position = end
        }
        return nil
    }

    /// The body of an eXIf chunk before the end of the file.
    private static func chunk(ofPNG bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer.SubSequence? {
        var position = 8
        while position + 12 <= bytes.count {
            let length = Int(bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).bigEndian)
            guard position + 12 + length <= bytes.count else { return nil }
            if bytes[(position + 4)..<(position + 8)].elementsEqual(Array("eXIf".utf8)) {
                return bytes[(position + 8)..<(position + 8 + length)]
            }
            position += 12 + length
        }
        return nil
    }
}

extension ExifBlock {
    /// A PNG file with the block as a chunk of its own behind the header.
    static func insert(_ block: [UInt8], intoPNG file: [UInt8]) -> [UInt8] {
        let header = 8 + 25
        let body = Array("eXIf".utf8) + block
        let checksum = body.withUnsafeBytes { crc32($0) }
        return Array(file.prefix(header)) + bigEndian(UInt32(block.count)) + body + bigEndian(checksum)
            + file.dropFirst(header)
    }

    /// A JPEG file with the block as its first segment. A block that no segment can hold is left out.
    static func insert(_ block: [UInt8], intoJPEG file: [UInt8]) -> [UInt8] {
        let length = 2 + signature.count + block.count
        guard length <= 0xFFFF else { return file }
        let marker: [UInt8] = [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 0xFF)]
        return Array(file.prefix(2)) + marker + signature + block + file.dropFirst(2)
    }

    private static func bigEndian(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }
}
