import Images

/// Before, after and what was taken away, side by side.
enum ComparisonPicture {
    /// How much the difference is enlarged; grey 128 is none.
    static let gain = 4

    static func make(before: Image, after: Image) -> Image {
        let layout = before.channels < 3 ? ChannelLayout.grey : .rgb
        let (a, b) = (before.eightBit().converted(to: layout), after.eightBit().converted(to: layout))
        let difference = zip(a.bytes, b.bytes).map { UInt8(clamping: 128 + gain * (Int($0) - Int($1))) }
        let picture = Image(width: a.width, height: a.height, channels: a.channels, samples: difference)
        return Image.grid([a, b, picture], columns: 3)
    }
}
