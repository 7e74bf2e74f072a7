import Layers
import Tensors

/// Images that a pyramid can take apart: `Tensor` in single precision with derivatives, `PreciseImages` in
/// double.
///
/// Every operation of a pyramid is linear and written once, in these few words.
public protocol ImageField: Sendable {
    /// `[N, H, W, C]`
    var shape: Shape { get }
    static func + (a: Self, b: Self) -> Self
    static func - (a: Self, b: Self) -> Self
    func mapped(by map: SeparableMap) -> Self
    /// Re F⁻¹(weights · F x) with the weights of `mask`.
    func filtered(by mask: SpectralWeights) -> Self
    func channels(_ range: Range<Int>) -> Self
    static func concatenateChannels(_ parts: [Self]) -> Self
}

extension ImageField {
    /// Height and width.
    public var grid: Grid { Grid(shape[1], shape[2]) }
}

extension Tensor: ImageField {
    public func mapped(by map: SeparableMap) -> Tensor {
        separablyMapped(rows: map.rowTensor, columns: map.columnTensor)
    }

    public func filtered(by mask: SpectralWeights) -> Tensor {
        let spectrum = realFFT2(.backward)
        let flat = spectrum.reshaped([spectrum.shape[0], spectrum.elementCount / max(1, spectrum.shape[0])])
        let weighted = flat * mask.halfSpectrum(repeating: 2 * shape[3])
        return weighted.reshaped(spectrum.shape).inverseRealFFT2(width: shape[2], .backward)
    }
}

/// Images in double precision, memory order `[N, H, W, C]`: for exactness checks and statistics.
public struct PreciseImages: Sendable, Equatable {
    public let shape: Shape
    public var values: [Double]

    public init(shape: Shape, values: [Double]) {
        precondition(
            shape.rank == 4 && values.count == shape.elementCount,
            "\(values.count) values for images \(shape)")
        self.shape = shape
        self.values = values
    }

    public init(_ tensor: Tensor) {
        self.init(shape: tensor.shape, values: tensor.withScalars { $0.map(Double.init) })
    }

    /// Root of the mean square.
    public var rootMeanSquare: Double {
        (values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))).squareRoot()
    }

    private func combined(_ other: PreciseImages, _ operation: (Double, Double) -> Double) -> PreciseImages {
        precondition(shape == other.shape, "images \(shape) and \(other.shape) do not match")
        return PreciseImages(shape: shape, values: zip(values, other.values).map(operation))
    }

    private func plane(_ image: Int, _ channel: Int) -> Matrix {
        let (height, width, channels) = (shape[1], shape[2], shape[3])
        let start = image * height * width * channels + channel
        return Matrix(
            rows: height, columns: width,
            values: (0..<height * width).map { values[start + $0 * channels] })
    }
}

extension PreciseImages: ImageField {
    public static func + (a: PreciseImages, b: PreciseImages) -> PreciseImages { a.combined(b, +) }
    public static func - (a: PreciseImages, b: PreciseImages) -> PreciseImages { a.combined(b, -) }

    public func mapped(by map: SeparableMap) -> PreciseImages {
        precondition(grid == map.source, "a map of \(map.source) images was given \(shape)")
        let (count, channels, target) = (shape[0], shape[3], map.target)
        var result = [Double](repeating: 0, count: count * target.count * channels)
        for image in 0..<count {
            for channel in 0..<channels {
                let plane = LinearAlgebra.product(
                    LinearAlgebra.product(map.rows, plane(image, channel)), map.columns,
                    transposingSecond: true)
                for (i, value) in plane.values.enumerated() {
                    result[(image * target.count + i) * channels + channel] = value
                }
            }
        }
        return PreciseImages(shape: [count, target.height, target.width, channels], values: result)
    }

    public func filtered(by mask: SpectralWeights) -> PreciseImages {
        let transform = RealFFT2<Double>(height: shape[1], width: shape[2], channels: shape[3])
        let scale = 1 / Double(shape[1] * shape[2])
        let weights = mask.halfSpectrumValues(repeating: 2 * shape[3])
        var spectra = [Double](repeating: 0, count: shape[0] * transform.spectrumCount)
        transform.forward(values, into: &spectra, count: shape[0])
        for i in spectra.indices { spectra[i] *= weights[i % weights.count] * scale }
        var result = values
        transform.inverse(spectra, into: &result, count: shape[0])
        return PreciseImages(shape: shape, values: result)
    }

    public func channels(_ range: Range<Int>) -> PreciseImages {
        let count = shape.channels
        let kept = (0..<shape.rows).flatMap { row in
            values[row * count + range.lowerBound..<row * count + range.upperBound]
        }
        return PreciseImages(shape: [shape[0], shape[1], shape[2], range.count], values: kept)
    }

    public static func concatenateChannels(_ parts: [PreciseImages]) -> PreciseImages {
        let first = parts[0].shape
        precondition(
            parts.allSatisfy { $0.shape.extents.dropLast() == first.extents.dropLast() },
            "channels of \(parts.map(\.shape)) do not join")
        let total = parts.map(\.shape.channels).reduce(0, +)
        var values: [Double] = []
        values.reserveCapacity(first.rows * total)
        for row in 0..<first.rows {
            for part in parts {
                let width = part.shape.channels
                values += part.values[row * width..<(row + 1) * width]
            }
        }
        return PreciseImages(shape: [first[0], first[1], first[2], total], values: values)
    }
}
