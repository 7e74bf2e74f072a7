/// What an image's channels are.
public enum ChannelLayout: Int, Sendable, Codable, CaseIterable {
    case grey = 1
    case greyAlpha, rgb, rgba

    public var channels: Int { rawValue }
}

/// How 16-bit samples become 8-bit ones.
public enum SixteenBitRule: Sendable {
    /// The high byte, which keeps the picture's look. The default.
    case highByte
    /// Values above 255 become 255: what Pillow's `convert("RGB")` does to 16-bit grey.
    case clipped
}

extension Image {
    /// The image with other channels: colours become grey by Rec. 601 luma as in Pillow's mode `L`, grey is
    /// repeated, alpha is dropped without blending (see `composited(over:)`) or added as opaque.
    public func converted(to layout: ChannelLayout) -> Image {
        guard layout.channels != channels else { return self }
        let converted: Samples =
            switch samples {
            case .eightBit(let values): .eightBit(recolor(values, to: layout.channels))
            case .sixteenBit(let values): .sixteenBit(recolor(values, to: layout.channels))
            }
        var image = Image(width: width, height: height, channels: layout.channels, samples: converted)
        (image.texts, image.exif) = (texts, exif)
        return image
    }

    /// The image with 8-bit samples.
    public func eightBit(_ rule: SixteenBitRule = .highByte) -> Image {
        guard case .sixteenBit(let values) = samples else { return self }
        let bytes =
            switch rule {
            case .highByte: self.bytes
            case .clipped: values.map { UInt8(clamping: $0) }
            }
        var image = Image(width: width, height: height, channels: channels, samples: bytes)
        (image.texts, image.exif) = (texts, exif)
        return image
    }

    /// An 8-bit RGB image, whatever this one is: what training and metrics take.
    public var rgb: Image { eightBit().converted(to: .rgb) }

    /// The 8-bit image blended over a colour by its alpha; one without alpha is unchanged.
    /// - Parameter background: one value per colour channel.
    public func composited(over background: [UInt8]) -> Image {
        guard hasAlpha else { return eightBit() }
        let colors = channels - 1
        precondition(
            background.count == colors, "the background needs \(colors) values, not \(background.count)")
        let source = bytes
        var target = [UInt8](repeating: 0, count: pixelCount * colors)
        for pixel in 0..<pixelCount {
            let alpha = UInt32(source[pixel * channels + colors])
            for color in 0..<colors {
                let front = UInt32(source[pixel * channels + color])
                let sum = front * alpha + UInt32(background[color]) * (255 - alpha)
                target[pixel * colors + color] = UInt8(dividedBy255(sum))
            }
        }
        return Image(width: width, height: height, channels: colors, samples: target)
    }

    private func recolor<Sample: FixedWidthInteger & UnsignedInteger>(_ values: [Sample], to count: Int)
        -> [Sample]
    {
        let (from, pixels) = (channels, pixelCount)
        return values.withUnsafeBufferPointer { source in
            [Sample](unsafeUninitializedCapacity: pixels * count) { target, initialized in
                initialized = pixels * count
                for pixel in 0..<pixels {
                    let (read, write) = (pixel * from, pixel * count)
                    if count >= 3 {
                        for color in 0..<3 { target[write + color] = source[read + (from >= 3 ? color : 0)] }
                    } else if from >= 3 {
                        target[write] = luma(source[read], source[read + 1], source[read + 2])
                    } else {
                        target[write] = source[read]
                    }
                    if count == 2 || count == 4 {
                        target[write + count - 1] = from == 2 || from == 4 ? source[read + from - 1] : .max
                    }
                }
            }
        }
    }

    /// RGB from CMYK samples as Adobe stores them (255 is no ink), by Pillow's `CMYK` to `RGB` rule.
    static func rgb(fromInvertedInks inks: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        let pixels = inks.count / 4
        return [UInt8](unsafeUninitializedCapacity: pixels * 3) { target, count in
            count = pixels * 3
            for pixel in 0..<pixels {
                let light = UInt32(inks[pixel * 4 + 3])
                for color in 0..<3 {
                    let ink = 255 - UInt32(inks[pixel * 4 + color])
                    target[pixel * 3 + color] = UInt8(light - dividedBy255(ink * light))
                }
            }
        }
    }
}

/// `value / 255` rounded to nearest, for `value` up to 255².
@inline(__always) func dividedBy255(_ value: UInt32) -> UInt32 {
    let sum = value + 128
    return ((sum >> 8) + sum) >> 8
}

/// Rec. 601 luma in Pillow's 16-bit fixed point.
@inline(__always) private func luma<Sample: FixedWidthInteger>(_ r: Sample, _ g: Sample, _ b: Sample)
    -> Sample
{
    let sum = UInt64(r) * 19_595 + UInt64(g) * 38_470 + UInt64(b) * 7_471 + 0x8000
    return Sample(truncatingIfNeeded: sum >> 16)
}
