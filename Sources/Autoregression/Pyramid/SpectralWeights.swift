import Layers
import Tensors

/// Real weights of the Fourier coefficients of an image, equal for k and −k, so that filtering keeps images
/// real and is its own derivative.
public struct SpectralWeights: Sendable {
    /// `[H, W]` with frequency 0 at (⌊H/2⌋, ⌊W/2⌋).
    public let centred: Matrix

    public init(centred: Matrix) { self.centred = centred }

    /// Sum of the weights: how many coefficients pass.
    public var total: Double { centred.values.reduce(0, +) }

    static func - (a: SpectralWeights, b: SpectralWeights) -> SpectralWeights {
        SpectralWeights(
            centred: Matrix(
                rows: a.centred.rows, columns: a.centred.columns,
                values: zip(a.centred.values, b.centred.values).map(-)))
    }

    /// The weights in the order of a stored real spectrum `[H, W/2 + 1]`, each repeated for the scalars of one
    /// place.
    func halfSpectrumValues(repeating count: Int) -> [Double] {
        let (height, width) = (centred.rows, centred.columns)
        var result: [Double] = []
        result.reserveCapacity(height * (width / 2 + 1) * count)
        for u in 0..<height {
            for v in 0...width / 2 {
                let weight = centred[(u + height / 2) % height, (v + width / 2) % width]
                result += repeatElement(weight, count: count)
            }
        }
        return result
    }

    func halfSpectrum(repeating count: Int) -> Tensor {
        let values = halfSpectrumValues(repeating: count).map(Float.init)
        return Tensor(shape: [values.count], scalars: values)
    }
}

/// How the Fourier plane is divided among the levels of a pyramid.
public enum BandShape: String, Codable, Hashable, Sendable, CaseIterable {
    /// Rectangles that hold what each level's grid can carry, half weight on a grid's own Nyquist frequency.
    /// No band is ever empty.
    case box
    /// Rings whose radius grows with the accumulated number of tokens (the literal reading of NFIG, arXiv
    /// 2503.07076). The inner bands of fine grids are empty.
    case radialTokens
    /// Rings whose area grows with the accumulated number of tokens.
    case radialArea
    /// Rings of equal width.
    case radialUniform
}

extension BandShape {
    /// The radii σ_0 … σ_n between the rings; nil for boxes. The unit is cycles per pixel.
    public func radii(_ grids: [Grid]) -> [Double]? {
        guard self != .box, let finest = grids.last else { return nil }
        let largest = Self.radius(finest.height / 2, finest.width / 2, finest)
        let total = Double(grids.map(\.count).reduce(0, +))
        var sum = 0
        let shares = grids.map { grid in
            sum += grid.count
            return Double(sum) / total
        }
        return [0]
            + grids.indices.map { level in
                switch self {
                case .radialTokens: largest * shares[level]
                case .radialArea: largest * shares[level].squareRoot()
                default: largest * Double(level + 1) / Double(grids.count)
                }
            }
    }

    /// The weights of the levels up to and including each one; the last passes everything.
    func cumulativeWeights(_ grids: [Grid]) -> [SpectralWeights] {
        guard let finest = grids.last else { return [] }
        let radii = radii(grids)
        return grids.indices.map { level in
            var weights = Matrix(zeros: finest.height, finest.width)
            for row in 0..<finest.height {
                for column in 0..<finest.width {
                    let (y, x) = (row - finest.height / 2, column - finest.width / 2)
                    if level == grids.count - 1 {
                        weights[row, column] = 1
                    } else if let radii {
                        let border = radii[level + 1] - 1e-9 * (radii.last ?? 0)
                        weights[row, column] = Self.radius(y, x, finest) < border ? 1 : 0
                    } else {
                        weights[row, column] =
                            Self.boxWeight(y, kept: grids[level].height, of: finest.height)
                            * Self.boxWeight(x, kept: grids[level].width, of: finest.width)
                    }
                }
            }
            return SpectralWeights(centred: weights)
        }
    }

    /// 1 below the Nyquist frequency of the kept size, ½ on it.
    static func boxWeight(_ frequency: Int, kept: Int, of size: Int) -> Double {
        if kept >= size || 2 * abs(frequency) < kept { return 1 }
        return 2 * abs(frequency) == kept ? 0.5 : 0
    }

    private static func radius(_ y: Int, _ x: Int, _ grid: Grid) -> Double {
        let (v, u) = (Double(y) / Double(grid.height), Double(x) / Double(grid.width))
        return (v * v + u * u).squareRoot()
    }
}
