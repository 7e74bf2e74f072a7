import Tensors

/// The numbers that black and white have in a tensor.
public enum PixelRange: Sendable {
    /// Black is −1, white is 1: what the networks see.
    case signed
    /// Black is 0, white is 1.
    case unit

    /// Applied to a number from 0 to 255.
    @inline(__always) func scaled(_ value: Float) -> Float {
        switch self {
        case .signed: value / 127.5 - 1
        case .unit: value / 255
        }
    }

    /// The number from 0 to 255 of a tensor's value, plus `bias`, with one rounding of the sum.
    @inline(__always) func unscaled(_ value: Float, bias: Float = 0) -> Float {
        switch self {
        case .signed: value * 127.5 + (127.5 + bias)
        case .unit: value * 255 + bias
        }
    }
}

/// How a tensor's values become bytes. A value that is not a number becomes 0.
public enum PixelRounding: Sendable {
    /// `trunc(clamp(127.5 v + 128, 0, 255))`, as the samplers of ADM and DiCo write their images.
    case adm
    /// To the nearest, halves to even, as numpy's `round`.
    case nearestEven
}

extension Tensor {
    /// An image as `[H, W, C]`; 16-bit samples keep their precision.
    public init(_ image: Image, range: PixelRange = .signed) {
        self = Tensor([image], range: range).reshapedToImage
    }

    /// Images of one size and channel count as a batch `[N, H, W, C]`.
    public init(_ images: [Image], range: PixelRange = .signed) {
        guard let first = images.first else { preconditionFailure("a batch needs at least one image") }
        let size = first.pixelCount * first.channels
        self = .uninitialized([images.count, first.height, first.width, first.channels])
        withMutableScalars { target in
            for (n, image) in images.enumerated() {
                precondition(
                    (image.width, image.height, image.channels) == (
                        first.width, first.height, first.channels
                    ),
                    """
                    images of one batch have one size: \(first.width)×\(first.height)×\(first.channels) and \
                    \(image.width)×\(image.height)×\(image.channels)
                    """)
                image.fill(
                    UnsafeMutableBufferPointer(rebasing: target[n * size..<(n + 1) * size]), range: range)
            }
        }
    }

    private var reshapedToImage: Tensor {
        withScalars { scalars in
            let image = Tensor.uninitialized([shape[1], shape[2], shape[3]])
            image.withMutableScalars { _ = $0.update(fromContentsOf: scalars) }
            return image
        }
    }
}

extension Image {
    /// An image from `[H, W, C]`, or from a batch of one; values outside the range are clamped.
    /// - Parameter bitDepth: 8 or 16; 16 bits are always rounded to the nearest.
    public init(
        _ tensor: Tensor, range: PixelRange = .signed, rounding: PixelRounding = .adm, bitDepth: Int = 8
    ) {
        let images = Image.batch(tensor, range: range, rounding: rounding, bitDepth: bitDepth)
        precondition(images.count == 1, "one image is [H, W, C] or [1, H, W, C], not \(tensor.shape)")
        self = images[0]
    }

    /// The images of a batch `[N, H, W, C]`, or the one of `[H, W, C]`.
    public static func batch(
        _ tensor: Tensor, range: PixelRange = .signed, rounding: PixelRounding = .adm, bitDepth: Int = 8
    ) -> [Image] {
        let shape = tensor.shape
        precondition(shape.rank == 3 || shape.rank == 4, "images are [N, H, W, C] or [H, W, C], not \(shape)")
        let (height, width, channels) = (shape[-3], shape[-2], shape[-1])
        let size = height * width * channels
        return tensor.withScalars { scalars in
            (0..<scalars.count / max(size, 1)).map { n in
                let source = scalars[n * size..<(n + 1) * size]
                let samples: Samples =
                    bitDepth == 16
                    ? .sixteenBit(source.map { sixteenBits($0, range) })
                    : .eightBit(source.map { eightBits($0, range, rounding) })
                return Image(width: width, height: height, channels: channels, samples: samples)
            }
        }
    }

    @inline(__always) private static func eightBits(
        _ value: Float, _ range: PixelRange, _ rounding: PixelRounding
    ) -> UInt8 {
        guard !value.isNaN else { return 0 }
        return switch rounding {
        case .adm: UInt8(min(max(range.unscaled(value, bias: 0.5), 0), 255))
        case .nearestEven: UInt8(min(max(range.unscaled(value), 0), 255).rounded(.toNearestOrEven))
        }
    }

    @inline(__always) private static func sixteenBits(_ value: Float, _ range: PixelRange) -> UInt16 {
        value.isNaN ? 0 : UInt16((min(max(range.unscaled(value), 0), 255) * 257).rounded(.toNearestOrEven))
    }

    /// Writes this image's samples as floats.
    func fill(_ target: UnsafeMutableBufferPointer<Float>, range: PixelRange) {
        switch samples {
        case .eightBit(let values):
            for i in values.indices { target[i] = range.scaled(Float(values[i])) }
        case .sixteenBit(let values):
            for i in values.indices { target[i] = range.scaled(Float(values[i]) / 257) }
        }
    }
}
