/// A picture in memory: rows from the top, samples interleaved, 8 or 16 bits each.
///
/// One channel is grey, two are grey and alpha, three are red, green and blue, four add alpha. Alpha is not
/// premultiplied.
public struct Image: Sendable, Hashable {
    /// The samples of all rows, `height * width * channels` of them.
    public enum Samples: Sendable, Hashable {
        case eightBit([UInt8])
        case sixteenBit([UInt16])
    }

    public let width: Int
    public let height: Int
    public let channels: Int
    public internal(set) var samples: Samples
    /// Text stored with the picture (PNG text chunks), in file order.
    public var texts: [ImageText] = []
    /// What a camera wrote beside the picture (EXIF, a TIFF block), its orientation upright; nil where there is nothing.
    public var exif: [UInt8]?

    /// An 8-bit image from samples in memory order `[height, width, channels]`.
    public init(width: Int, height: Int, channels: Int, samples: [UInt8]) {
        self.init(width: width, height: height, channels: channels, samples: .eightBit(samples))
    }

    /// A 16-bit image from samples in memory order `[height, width, channels]`.
    public init(width: Int, height: Int, channels: Int, samples: [UInt16]) {
        self.init(width: width, height: height, channels: channels, samples: .sixteenBit(samples))
    }

    public init(width: Int, height: Int, channels: Int, samples: Samples) {
        precondition(width > 0 && height > 0, "an image has pixels, not \(width)×\(height)")
        precondition((1...4).contains(channels), "an image has 1 to 4 channels, not \(channels)")
        let count =
            switch samples {
            case .eightBit(let values): values.count
            case .sixteenBit(let values): values.count
            }
        precondition(
            count == width * height * channels,
            "\(count) samples do not fill \(width)×\(height) pixels of \(channels) channels")
        self.width = width
        self.height = height
        self.channels = channels
        self.samples = samples
    }

    /// An 8-bit image of one colour; `color` has one value per channel.
    public init(width: Int, height: Int, color: [UInt8]) {
        let samples = [UInt8](unsafeUninitializedCapacity: width * height * color.count) { target, count in
            count = width * height * color.count
            for i in 0..<count { target[i] = color[i % color.count] }
        }
        self.init(width: width, height: height, channels: color.count, samples: samples)
    }

    public var bitDepth: Int {
        if case .sixteenBit = samples { 16 } else { 8 }
    }

    public var hasAlpha: Bool { channels == 2 || channels == 4 }

    public var pixelCount: Int { width * height }

    /// The 8-bit samples in memory order; a 16-bit image gives its high bytes.
    public var bytes: [UInt8] {
        switch samples {
        case .eightBit(let values): values
        case .sixteenBit(let values): values.map { UInt8($0 >> 8) }
        }
    }

    /// The samples of one pixel, at the image's own depth.
    public subscript(x: Int, y: Int) -> [Int] {
        precondition(
            (0..<width).contains(x) && (0..<height).contains(y), "(\(x), \(y)) is outside \(width)×\(height)")
        let first = (y * width + x) * channels
        return switch samples {
        case .eightBit(let values): values[first..<first + channels].map(Int.init)
        case .sixteenBit(let values): values[first..<first + channels].map(Int.init)
        }
    }
}

/// A keyword and a text stored in an image file. PNG keywords have 1 to 79 Latin-1 characters.
public struct ImageText: Sendable, Hashable {
    public let keyword: String
    public let text: String

    public init(_ keyword: String, _ text: String) {
        self.keyword = keyword
        self.text = text
    }
}
