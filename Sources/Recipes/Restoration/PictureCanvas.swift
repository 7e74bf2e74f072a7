import Denoising
import Images
import Tensors

/// The samples of an image that is read and rewritten tile by tile; alpha is never touched.
struct PictureCanvas {
    let width: Int
    let height: Int
    let channels: Int
    /// Channels without alpha.
    let colours: Int
    private let texts: [ImageText]
    private let exif: [UInt8]?
    private let isDeep: Bool
    // One of the two is empty: samples inside an enumeration could not be changed in place.
    private var bytes: [UInt8] = []
    private var words: [UInt16] = []

    init(_ image: Image) {
        (width, height, channels) = (image.width, image.height, image.channels)
        colours = image.hasAlpha ? image.channels - 1 : image.channels
        (texts, exif) = (image.texts, image.exif)
        switch image.samples {
        case .eightBit(let values): (bytes, isDeep) = (values, false)
        case .sixteenBit(let values): (words, isDeep) = (values, true)
        }
    }

    var image: Image {
        var image = Image(
            width: width, height: height, channels: channels,
            samples: isDeep ? .sixteenBit(words) : .eightBit(bytes))
        (image.texts, image.exif) = (texts, exif)
        return image
    }

    private var white: Double { isDeep ? 65535 : 255 }

    /// A window of the colours in 0…1, `[1, H, W, colours]`, with noise of σ on the 0–255 scale added when there is
    /// any: formed in double precision, numbered plane by plane over the whole image.
    func window(rows: Range<Int>, columns: Range<Int>, noise: AddedNoise? = nil) -> Tensor {
        let result = Tensor.uninitialized([1, rows.count, columns.count, colours])
        result.withMutableScalars { target in
            for row in rows {
                for colour in 0..<colours {
                    let first = row * width + columns.lowerBound
                    let drawn = noise.map { noise -> [Double] in
                        let start = colour * width * height + first
                        return noise.generator.normals(start..<start + columns.count)
                    }
                    var position = (row - rows.lowerBound) * columns.count * colours + colour
                    for column in 0..<columns.count {
                        let index = (first + column) * channels + colour
                        let sample = isDeep ? Double(words[index]) : Double(bytes[index])
                        if let noise, let drawn {
                            target[position] = Float(sample / white + noise.sigma / 255 * drawn[column])
                        } else {
                            target[position] = Float(sample) / Float(white)
                        }
                        position += colours
                    }
                }
            }
        }
        return result
    }

    /// Puts back what a tile keeps, clamped and rounded to the nearest.
    /// - Parameter tile: `[1, H, W, colours]` over everything the tile saw.
    /// - Returns: false when a value is not finite.
    mutating func write(_ tile: Tensor, _ region: MarginTiles.Region) -> Bool {
        var isFinite = true
        let (line, scale) = (tile.shape[2] * colours, Float(white))
        tile.withScalars { source in
            for row in region.keptRows {
                var from =
                    (row - region.seenRows.lowerBound) * line + region.innerColumns.lowerBound * colours
                for column in region.keptColumns {
                    let to = (row * width + column) * channels
                    for colour in 0..<colours {
                        let value = source[from + colour]
                        guard value.isFinite else {
                            isFinite = false
                            continue
                        }
                        let level = (min(max(value, 0), 1) * scale).rounded(.toNearestOrEven)
                        if isDeep {
                            words[to + colour] = UInt16(level)
                        } else {
                            bytes[to + colour] = UInt8(level)
                        }
                    }
                    from += colours
                }
            }
        }
        return isFinite
    }
}

/// Noise that is added before denoising, to measure with: the same on every machine.
public struct AddedNoise: Sendable, Hashable {
    /// On the 0–255 scale.
    public let sigma: Double
    public let generator: CounterNoise
}
