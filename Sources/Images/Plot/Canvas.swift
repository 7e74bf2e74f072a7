/// A colour image under construction, with smooth lines and text.
struct Canvas {
    /// Red, green and blue from 0 to 255.
    typealias Ink = SIMD3<UInt8>

    private(set) var image: Image

    init(width: Int, height: Int, ground: Ink = Ink(255, 255, 255)) {
        image = Image(width: width, height: height, color: [ground.x, ground.y, ground.z])
    }

    /// The rectangle whose corners are pixel edges.
    mutating func fill(x: Range<Int>, y: Range<Int>, ink: Ink) {
        edit { canvas in
            for row in y { for column in x { canvas.blend(column, row, ink, share: 1) } }
        }
    }

    /// Straight lines through points in pixels, `width` pixels wide, with smooth edges, inside `clip` only.
    mutating func stroke(
        _ points: [SIMD2<Double>], width: Double = 1.8, ink: Ink, clip: (x: Range<Int>, y: Range<Int>)
    ) {
        edit { canvas in
            for (from, to) in zip(points, points.dropFirst()) {
                canvas.stroke(from, to, width: width, ink: ink, clip: clip)
            }
        }
    }

    /// Where a text is in relation to its point.
    enum Anchor { case left, middle, right }

    /// A text whose middle line is at `y`.
    mutating func write(_ text: String, x: Int, y: Int, anchor: Anchor = .left, scale: Int = 2, ink: Ink) {
        let label = BitmapFont.render(text, scale: scale)
        let left =
            switch anchor {
            case .left: x
            case .middle: x - label.width / 2
            case .right: x - label.width
            }
        stamp(label, x: left, y: y - label.height / 2, ink: ink)
    }

    /// A text that runs upwards, around a point.
    mutating func writeUpwards(_ text: String, x: Int, y: Int, scale: Int = 2, ink: Ink) {
        let label = BitmapFont.render(text, scale: scale).oriented(by: .turnCounterclockwise)
        stamp(label, x: x - label.width / 2, y: y - label.height / 2, ink: ink)
    }

    private mutating func stamp(_ mask: Image, x left: Int, y top: Int, ink: Ink) {
        let shares = mask.bytes
        edit { canvas in
            for row in 0..<mask.height {
                for column in 0..<mask.width where shares[row * mask.width + column] > 0 {
                    canvas.blend(left + column, top + row, ink, share: 1)
                }
            }
        }
    }

    private mutating func edit(_ body: (inout Pixels) -> Void) {
        let (width, height) = (image.width, image.height)
        image.withMutableBytes { bytes in
            var pixels = Pixels(bytes: bytes, width: width, height: height)
            body(&pixels)
        }
    }
}

/// The bytes of an RGB image being drawn on.
private struct Pixels {
    let bytes: UnsafeMutableBufferPointer<UInt8>
    let width: Int
    let height: Int

    func blend(_ x: Int, _ y: Int, _ ink: SIMD3<UInt8>, share: Double) {
        guard x >= 0, x < width, y >= 0, y < height, share > 0 else { return }
        for channel in 0..<3 {
            let old = Double(bytes[(y * width + x) * 3 + channel])
            bytes[(y * width + x) * 3 + channel] = UInt8(
                (old + (Double(ink[channel]) - old) * min(share, 1)).rounded())
        }
    }

    /// Covers each pixel by how far its centre lies inside the line's outline.
    func stroke(
        _ from: SIMD2<Double>, _ to: SIMD2<Double>, width: Double, ink: SIMD3<UInt8>,
        clip: (x: Range<Int>, y: Range<Int>)
    ) {
        let reach = width / 2 + 1
        func limits(_ a: Double, _ b: Double, _ range: Range<Int>) -> Range<Int> {
            let low = max(min(a, b) - reach, Double(range.lowerBound))
            let high = min(max(a, b) + reach, Double(range.upperBound))
            return low < high ? Int(low)..<Int(high.rounded(.up)) : 0..<0
        }
        let along = to - from
        let lengthSquared = (along * along).sum()
        let columns = limits(from.x, to.x, clip.x)
        for y in limits(from.y, to.y, clip.y) {
            for x in columns {
                let offset = SIMD2(Double(x) + 0.5, Double(y) + 0.5) - from
                let place = lengthSquared > 0 ? min(max((offset * along).sum() / lengthSquared, 0), 1) : 0
                let away = offset - place * along
                blend(x, y, ink, share: width / 2 + 0.5 - (away * away).sum().squareRoot())
            }
        }
    }
}
