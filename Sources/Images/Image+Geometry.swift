import Tensors

extension Image {
    /// A rearrangement of pixels: `source(x, y)` names the pixel of this image that lands on `(x, y)`.
    func rearranged(width: Int, height: Int, source: (Int, Int) -> (Int, Int)) -> Image {
        let rearranged: Samples =
            switch samples {
            case .eightBit(let values):
                .eightBit(pick(values, width: width, height: height, source: source))
            case .sixteenBit(let values):
                .sixteenBit(pick(values, width: width, height: height, source: source))
            }
        var image = Image(width: width, height: height, channels: channels, samples: rearranged)
        (image.texts, image.exif) = (texts, exif)
        return image
    }

    private func pick<Sample>(
        _ values: [Sample], width: Int, height: Int, source: (Int, Int) -> (Int, Int)
    ) -> [Sample] {
        let channels = channels
        let stride = self.width
        return values.withUnsafeBufferPointer { values in
            [Sample](unsafeUninitializedCapacity: width * height * channels) { target, count in
                count = width * height * channels
                var next = 0
                for y in 0..<height {
                    for x in 0..<width {
                        let (sourceX, sourceY) = source(x, y)
                        let first = (sourceY * stride + sourceX) * channels
                        for channel in 0..<channels { target[next + channel] = values[first + channel] }
                        next += channels
                    }
                }
            }
        }
    }

    /// The rectangle with its upper left corner at `(x, y)`, which must lie inside the image.
    public func cropped(x: Int, y: Int, width: Int, height: Int) -> Image {
        precondition(
            x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= self.width
                && y + height <= self.height,
            "the crop \(width)×\(height) at (\(x), \(y)) is not inside \(self.width)×\(self.height)")
        return rearranged(width: width, height: height) { ($0 + x, $1 + y) }
    }

    /// The middle `width`×`height` pixels; an odd remainder goes to the right and the bottom.
    public func centerCropped(width: Int, height: Int) -> Image {
        cropped(x: (self.width - width) / 2, y: (self.height - height) / 2, width: width, height: height)
    }

    /// A window of the size at a place that the stream's numbers 2 · `index` and 2 · `index` + 1 decide.
    public func randomCropped(width: Int, height: Int, using random: RandomStream, at index: UInt64 = 0)
        -> Image
    {
        precondition(
            width <= self.width && height <= self.height,
            "no crop of \(width)×\(height) fits into \(self.width)×\(self.height)")
        return cropped(
            x: random.integer(below: self.width - width + 1, at: 2 * index),
            y: random.integer(below: self.height - height + 1, at: 2 * index + 1), width: width,
            height: height)
    }

    /// The mirror image, left and right exchanged.
    public func flippedHorizontally() -> Image { oriented(by: .mirrored) }

    /// One of the eight symmetries of the square, 0 is the image itself; the odd half of 4...7 exchanges sides.
    public func dihedral(_ symmetry: Int) -> Image {
        precondition((0..<8).contains(symmetry), "there are 8 symmetries, 0 to 7, not \(symmetry)")
        return ImageOrientation(rawValue: symmetry + 1).map(oriented) ?? self
    }

    /// The image with `margin` pixels added on every side.
    public func padded(by margin: Int, _ rule: PaddingRule = .zero) -> Image {
        precondition(margin >= 0, "a margin is not negative: \(margin)")
        let (w, h) = (width, height)
        switch rule {
        case .reflect:
            precondition(
                margin < w && margin < h,
                "a reflected margin of \(margin) needs a larger image than \(w)×\(h)")
            func mirrored(_ position: Int, _ size: Int) -> Int {
                let inside = abs(position)
                return inside < size ? inside : 2 * (size - 1) - inside
            }
            return rearranged(width: w + 2 * margin, height: h + 2 * margin) { x, y in
                (mirrored(x - margin, w), mirrored(y - margin, h))
            }
        case .edge:
            return rearranged(width: w + 2 * margin, height: h + 2 * margin) { x, y in
                (min(max(x - margin, 0), w - 1), min(max(y - margin, 0), h - 1))
            }
        case .zero:
            var canvas = Image(
                width: w + 2 * margin, height: h + 2 * margin, color: [UInt8](repeating: 0, count: channels))
            canvas.draw(eightBit(), x: margin, y: margin)
            return canvas
        }
    }

    /// What lies beyond the border of an image.
    public enum PaddingRule: String, Sendable, Codable {
        case zero, edge, reflect
    }

    /// The crop that ADM and DiCo train on: halved with a box filter while both sides are at least twice the target,
    /// scaled with bicubic so that it just covers the target, then the middle (openai/guided-diffusion,
    /// `image_datasets.py`, `center_crop_arr`, which knows square targets only).
    public func admCenterCropped(width: Int, height: Int) -> Image {
        var image = self
        while image.width >= 2 * width && image.height >= 2 * height {
            image = image.resized(width: image.width / 2, height: image.height / 2, filter: .box)
        }
        let scale = max(Double(width) / Double(image.width), Double(height) / Double(image.height))
        image = image.resized(
            width: Int((Double(image.width) * scale).rounded(.toNearestOrEven)),
            height: Int((Double(image.height) * scale).rounded(.toNearestOrEven)), filter: .bicubic)
        return image.centerCropped(width: width, height: height)
    }
}

extension Image {
    /// Copies another image's pixels onto this one; what falls outside is cut off.
    ///
    /// Both must have the same channels, and this one 8 bits.
    public mutating func draw(_ other: Image, x left: Int, y top: Int) {
        precondition(other.channels == channels, "\(other.channels) channels do not go onto \(channels)")
        let source = other.bytes
        let columns = max(0, -left)..<max(0, -left, min(other.width, width - left))
        let rows = max(0, -top)..<max(0, -top, min(other.height, height - top))
        let width = width
        withMutableBytes { target in
            for row in rows where !columns.isEmpty {
                let from = (row * other.width + columns.lowerBound) * other.channels
                let to = ((row + top) * width + left + columns.lowerBound) * other.channels
                for i in 0..<columns.count * other.channels { target[to + i] = source[from + i] }
            }
        }
    }

    /// Edits the samples in place, after reducing 16 bits to 8.
    mutating func withMutableBytes<Result>(_ body: (UnsafeMutableBufferPointer<UInt8>) -> Result) -> Result {
        var values = bytes
        samples = .eightBit([])  // so that `values` is the only owner and nothing is copied
        defer { samples = .eightBit(values) }
        return values.withUnsafeMutableBufferPointer { body($0) }
    }
}
