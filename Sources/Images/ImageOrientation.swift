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
