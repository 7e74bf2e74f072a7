import Images

/// How images of any size become the network's input, and how they are varied.
public struct ImagePreparation: Sendable, Hashable, Codable {
    /// How an image is brought to the target size.
    public enum Fit: String, Sendable, Codable, CaseIterable {
        /// ADM's: shrunk or enlarged until it just covers the target, then the middle.
        case centerCrop
        /// Lanczos to the target size, whatever the proportions.
        case stretch
        /// A random window of the target's size; a smaller image is enlarged first until it covers the target.
        case randomCrop
    }

    public var width: Int
    public var height: Int
    /// 1 for grey, 3 for colours.
    public var channels: Int
    public var fit: Fit
    /// Mirror left and right for half of the samples.
    public var horizontalFlip: Bool
    /// Turn and mirror by one of the eight symmetries of the square; needs `width == height`.
    public var dihedral: Bool
    /// Shift by up to this many pixels in each direction; what comes in is black (the crop with padding of CIFAR training).
    public var shift: Int

    public init(
        width: Int, height: Int, channels: Int = 3, fit: Fit = .centerCrop, horizontalFlip: Bool = false,
        dihedral: Bool = false, shift: Int = 0
    ) {
        self.width = width
        self.height = height
        self.channels = channels
        self.fit = fit
        self.horizontalFlip = horizontalFlip
        self.dihedral = dihedral
        self.shift = shift
    }

    /// Bytes of one prepared image.
    var byteCount: Int { width * height * channels }

    /// Whether preparation up to the variations is the same every time.
    var isFixed: Bool { fit != .randomCrop }

    /// - Throws: `DatasetError` naming the setting that makes no sense.
    func validate() throws {
        func refuse(_ problem: String, _ remedy: String) -> DatasetError {
            DatasetError("image preparation", problem, remedy: remedy)
        }
        guard width > 0, height > 0 else {
            throw refuse("the size is \(width)×\(height)", "give positive sizes")
        }
        guard channels == 1 || channels == 3 else {
            throw refuse("\(channels) channels are asked for", "give 1 (grey) or 3 (colour)")
        }
        guard !dihedral || width == height else {
            throw refuse(
                "dihedral variation needs a square, not \(width)×\(height)",
                "switch it off or change the size")
        }
        guard shift >= 0, shift < min(width, height) else {
            throw refuse("a shift of \(shift) leaves nothing of \(width)×\(height)", "give a smaller shift")
        }
    }

    /// The image at the target's size and channels, 8 bits.
    /// - Parameter draw: random numbers in `0 ..< bound` for the position of a random crop, asked for twice.
    func fitted(_ image: Image, draw: (_ bound: Int) -> Int) -> Image {
        let image = image.eightBit().converted(to: channels == 1 ? .grey : .rgb)
        switch fit {
        case .centerCrop:
            guard (image.width, image.height) != (width, height) else { return image }
            return image.admCenterCropped(width: width, height: height)
        case .stretch:
            return image.resized(width: width, height: height, filter: .lanczos)
        case .randomCrop:
            let covering = image.covering(width: width, height: height)
            return covering.cropped(
                x: draw(covering.width - width + 1), y: draw(covering.height - height + 1), width: width,
                height: height)
        }
    }
}

extension Image {
    /// The image itself when it covers the size, else enlarged (bicubic) until it does.
    fileprivate func covering(width: Int, height: Int) -> Image {
        let scale = max(Double(width) / Double(self.width), Double(height) / Double(self.height))
        guard scale > 1 else { return self }
        return resized(
            width: max(width, Int((Double(self.width) * scale).rounded())),
            height: max(height, Int((Double(self.height) * scale).rounded())), filter: .bicubic)
    }
}

/// One sample's variation: which symmetry, and how far shifted.
struct ImageVariation: Equatable {
    var flip = false
    var symmetry = 0
    var shiftX = 0
    var shiftY = 0

    init(_ preparation: ImagePreparation, draw: (_ bound: Int) -> Int) {
        if preparation.shift > 0 {
            shiftX = draw(2 * preparation.shift + 1) - preparation.shift
            shiftY = draw(2 * preparation.shift + 1) - preparation.shift
        }
        if preparation.horizontalFlip { flip = draw(2) == 1 }
        if preparation.dihedral { symmetry = draw(8) }
    }

    /// Writes prepared bytes `[H, W, C]` as floats in [−1, 1], shifted, then mirrored, then turned.
    func write(
        _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<Float>,
        _ preparation: ImagePreparation
    ) {
        let (width, height, channels) = (preparation.width, preparation.height, preparation.channels)
        if self == .none {
            for i in 0..<width * height * channels { target[i] = Float(source[i]) / 127.5 - 1 }
            return
        }
        var next = target
        for y in 0..<height {
            for x in 0..<width {
                var (u, v) = turned(x, y, width: width, height: height)
                if flip { u = width - 1 - u }
                (u, v) = (u + shiftX, v + shiftY)
                if u >= 0 && u < width && v >= 0 && v < height {
                    let pixel = source + (v * width + u) * channels
                    for channel in 0..<channels { next[channel] = Float(pixel[channel]) / 127.5 - 1 }
                } else {
                    for channel in 0..<channels { next[channel] = -1 }
                }
                next += channels
            }
        }
    }

    static let none = ImageVariation()

    private init() {}

    /// Where the pixel of a turned square comes from, in the order of `Image.dihedral`.
    @inline(__always) private func turned(_ x: Int, _ y: Int, width: Int, height: Int) -> (Int, Int) {
        switch symmetry {
        case 1: (width - 1 - x, y)
        case 2: (width - 1 - x, height - 1 - y)
        case 3: (x, height - 1 - y)
        case 4: (y, x)
        case 5: (y, height - 1 - x)
        case 6: (width - 1 - y, height - 1 - x)
        case 7: (width - 1 - y, x)
        default: (x, y)
        }
    }
}
