/// Frames of one size as an animated GIF (GIF89a, CompuServe 1990).
///
/// Colours are reduced to 256 per frame by median cut, or kept exactly where a frame has no more than that.
public struct GIFEncoder: Sendable {
    /// Which frames share a table of colours.
    public enum PaletteScope: String, Sendable, Codable {
        /// A table for each frame: the truest colours. The default.
        case perFrame
        /// One table for all: smaller, and still parts do not flicker.
        case shared
    }

    /// How long a frame is shown, in seconds. The format counts hundredths, and viewers show anything below 0.02 as 0.1.
    public var frameSeconds: Double
    /// How long the last frame is shown.
    public var lastFrameSeconds: Double
    /// How often the film runs; 0 is forever.
    public var loopCount: Int
    public var palette: PaletteScope

    public init(
        frameSeconds: Double = 0.1, lastFrameSeconds: Double? = nil, loopCount: Int = 0,
        palette: PaletteScope = .perFrame
    ) {
        self.frameSeconds = frameSeconds
        self.lastFrameSeconds = lastFrameSeconds ?? frameSeconds
        self.loopCount = loopCount
        self.palette = palette
    }

    /// The file's bytes.
    /// - Parameter frames: images of one size; alpha is dropped, 16 bits become 8.
    /// - Throws: `ImageError` when there are no frames, their sizes differ or exceed 65,535 pixels.
    public func encode(_ frames: [Image], name: String = "GIF") throws -> [UInt8] {
        guard let first = frames.first else {
            throw ImageError(.cannotEncode, name, "there are no frames", remedy: "give at least one")
        }
        for frame in frames where (frame.width, frame.height) != (first.width, first.height) {
            throw ImageError(
                .cannotEncode, name,
                "the frames have different sizes, \(first.width)×\(first.height) and \(frame.width)×\(frame.height)",
                remedy: "bring them to one size")
        }
        guard max(first.width, first.height) <= 65_535 else {
            throw ImageError(
                .cannotEncode, name, "a GIF has at most 65535 pixels a side",
                remedy: "make the frames smaller")
        }
        let colors = frames.map { $0.rgb.bytes }
        let shared = palette == .shared ? ColourTable(reducing: colors) : nil

        var bytes = Array("GIF89a".utf8)
        bytes.append(word: first.width)
        bytes.append(word: first.height)
        bytes += [0x70, 0, 0]  // no global table, 8 bits per channel; background; square pixels
        if frames.count > 1 { appendLoop(to: &bytes) }
        for (n, pixels) in colors.enumerated() {
            let seconds = n == frames.count - 1 ? lastFrameSeconds : frameSeconds
            append(
                pixels, width: first.width, height: first.height, seconds: seconds,
                table: shared ?? ColourTable(reducing: [pixels]), to: &bytes)
        }
        bytes.append(0x3B)
        return bytes
    }

    /// The application block that Netscape 2 introduced.
    private func appendLoop(to bytes: inout [UInt8]) {
        bytes += [0x21, 0xFF, 11] + Array("NETSCAPE2.0".utf8) + [3, 1]
        bytes.append(word: min(max(loopCount, 0), 65_535))
        bytes.append(0)
    }

    private func append(
        _ pixels: [UInt8], width: Int, height: Int, seconds: Double, table: ColourTable,
        to bytes: inout [UInt8]
    ) {
        bytes += [0x21, 0xF9, 4, 0x04]  // graphic control: leave the frame in place
        bytes.append(word: Int(min(max(seconds * 100, 0), 65_535).rounded()))
        bytes += [0, 0]

        let bits = max(1, Int.bitWidth - (table.colors.count - 1).leadingZeroBitCount)
        bytes += [0x2C, 0, 0, 0, 0]
        bytes.append(word: width)
        bytes.append(word: height)
        bytes.append(0x80 | UInt8(bits - 1))
        for entry in 0..<1 << bits {
            let color = entry < table.colors.count ? table.colors[entry] : SIMD3(0, 0, 0)
            bytes += [color.x, color.y, color.z]
        }
        let codeBits = max(2, bits)
        bytes.append(UInt8(codeBits))
        LZWEncoder(codeBits: codeBits).append(table.indices(of: pixels), to: &bytes)
    }
}

extension [UInt8] {
    fileprivate mutating func append(word value: Int) {
        append(UInt8(truncatingIfNeeded: value))
        append(UInt8(truncatingIfNeeded: value >> 8))
    }
}
