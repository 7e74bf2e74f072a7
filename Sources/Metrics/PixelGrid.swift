/// An image's samples as numbers, `[H, W, C]`, usually 0…255.
public struct PixelGrid: Sendable, Equatable {
    public let height: Int
    public let width: Int
    public let channels: Int
    public var values: [Double]

    public init(height: Int, width: Int, channels: Int, values: [Double]) {
        precondition(
            values.count == height * width * channels,
            "\(values.count) values do not fill an image of \(height)×\(width)×\(channels)")
        (self.height, self.width, self.channels, self.values) = (height, width, channels, values)
    }

    /// From 8-bit samples, `[H, W, C]`.
    public init(height: Int, width: Int, channels: Int, bytes: some Collection<UInt8>) {
        self.init(height: height, width: width, channels: channels, values: bytes.map(Double.init))
    }

    public var pixelCount: Int { height * width }

    /// One channel, `[H, W]`.
    public func plane(_ channel: Int) -> [Double] {
        (0..<pixelCount).map { values[$0 * channels + channel] }
    }

    /// Rec. 601 luma of an RGB image, the only channel of a grey one, `[H, W]`.
    public var luma: [Double] {
        guard channels >= 3 else { return plane(0) }
        return (0..<pixelCount).map {
            let at = $0 * channels
            return 0.299 * values[at] + 0.587 * values[at + 1] + 0.114 * values[at + 2]
        }
    }

    /// Without `border` pixels on every side.
    public func cropped(border: Int) -> PixelGrid {
        guard border > 0 else { return self }
        let (h, w) = (height - 2 * border, width - 2 * border)
        precondition(h > 0 && w > 0, "a border of \(border) leaves nothing of \(height)×\(width)")
        let rows = (border..<border + h).flatMap { row in
            let start = (row * width + border) * channels
            return values[start..<start + w * channels]
        }
        return PixelGrid(height: h, width: w, channels: channels, values: rows)
    }
}
