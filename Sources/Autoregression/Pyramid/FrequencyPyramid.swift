import Layers
import Tensors

/// The division of an image into frequency bands of growing resolution (NFIG, arXiv 2503.07076; `specs/nfig.md`,
/// sections 1 to 4).
///
/// A pure, linear object: it works on any `ImageField`, in single precision with derivatives or in double. Levels
/// count from 0; the bands of all levels sum to the image.
public struct FrequencyPyramid: Sendable {
    public let configuration: PyramidConfiguration
    private let filters: [Filter]
    private let downward: [SeparableMap]
    private let upward: [SeparableMap]

    private enum Filter {
        case separable(SeparableMap)
        case spectral(SpectralWeights)
        case everything
    }

    /// - Throws: `ConfigurationError` naming the field that cannot be.
    public init(_ configuration: PyramidConfiguration) throws {
        try configuration.validate()
        self.configuration = configuration
        let grids = configuration.grids
        let finest = grids[grids.count - 1]
        downward = grids.map { SeparableMap(configuration.down, from: finest, to: $0) }
        upward = grids.map { SeparableMap(configuration.up, from: $0, to: finest) }
        filters = Self.filters(configuration, finest: finest)
    }

    public var grids: [Grid] { configuration.grids }
    public var levelCount: Int { grids.count }
    /// The size of the images it takes apart.
    public var finest: Grid { grids[grids.count - 1] }
    /// Positions of all levels together: L, the length of a transformer's sequence.
    public var tokenCount: Int { grids.map(\.count).reduce(0, +) }

    /// The band of every level; they sum to `x`.
    public func bands<Field: ImageField>(_ x: Field) -> [Field] {
        let lowpasses = grids.indices.map { lowpass(x, level: $0) }
        return [lowpasses[0]] + zip(lowpasses.dropFirst(), lowpasses).map { $0 - $1 }
    }

    /// The sum of the bands up to and including `level`, at full size.
    public func lowpass<Field: ImageField>(_ x: Field, level: Int) -> Field {
        demandFinest(x.shape)
        return switch filters[level] {
        case .separable(let map): map(x)
        case .spectral(let weights): x.filtered(by: weights)
        case .everything: x
        }
    }

    /// The full map at the size of a level.
    public func down<Field: ImageField>(_ x: Field, to level: Int) -> Field {
        demandFinest(x.shape)
        return grids[level] == finest ? x : downward[level](x)
    }

    /// A level's map at full size.
    public func up<Field: ImageField>(_ v: Field, from level: Int) -> Field {
        grids[level] == finest ? v : upward[level](v)
    }

    /// A map of one level at the size of another.
    public func resize<Field: ImageField>(_ v: Field, from: Int, to: Int) -> Field {
        let (source, target) = (grids[from], grids[to])
        guard source != target else { return v }
        let shrinks = target.height < source.height || target.width < source.width
        return SeparableMap(shrinks ? configuration.down : configuration.up, from: source, to: target)(v)
    }

    /// The image at the size of a level without what the level below already says:
    /// d_i = c_i − resize(c_{i−1}), and c_0 at level 0.
    public func detail<Field: ImageField>(_ x: Field, level: Int) -> Field {
        let map = down(x, to: level)
        return level == 0 ? map : map - resize(down(x, to: level - 1), from: level - 1, to: level)
    }

    /// A level's map made of what was drawn before and the band that a prediction of the full image adds;
    /// lower bands stay as they are.
    /// - Parameter previous: the map of the level below; nil at level 0.
    public func replacingBand<Field: ImageField>(of previous: Field?, with image: Field, level: Int) -> Field
    {
        guard let previous, level > 0 else { return down(image, to: level) }
        return resize(previous, from: level - 1, to: level) + detail(image, level: level)
    }

    /// The part of a level's map that no coarser level can hold: v − resize(down(v)). With spectral sizing an
    /// orthogonal projection; for diffusing a band on grids that do not double, applied to noise and to
    /// predictions.
    public func bandProjection<Field: ImageField>(_ v: Field, level: Int) -> Field {
        guard level > 0 else { return v }
        return v - resize(resize(v, from: level, to: level - 1), from: level - 1, to: level)
    }

    /// Degrees of freedom that each level adds: h_iw_i − h_{i−1}w_{i−1}.
    public var degreesOfFreedom: [Int] {
        grids.indices.map { grids[$0].count - ($0 > 0 ? grids[$0 - 1].count : 0) }
    }

    /// The weights of each band in the Fourier plane; nil for the cosine basis.
    public var bandWeights: [SpectralWeights]? {
        guard configuration.basis == .fourier else { return nil }
        let cumulative = configuration.bands.cumulativeWeights(grids)
        return [cumulative[0]] + zip(cumulative.dropFirst(), cumulative).map { $0 - $1 }
    }

    /// Levels without a single coefficient of their own: their tokens can only correct what earlier levels
    /// left over. Repeated grids make them, and so does the literal radial division.
    public var emptyLevels: [Int] {
        guard let weights = bandWeights else { return grids.indices.filter { degreesOfFreedom[$0] == 0 } }
        return grids.indices.filter { weights[$0].total < 0.25 }
    }

    /// What a user should know about this division, in whole sentences.
    public var warnings: [String] {
        let empty = emptyLevels
        guard !empty.isEmpty else { return [] }
        let names = empty.map { "\($0 + 1) (\(grids[$0]))" }.joined(separator: ", ")
        let tokens = empty.map { grids[$0].count }.reduce(0, +)
        return [
            "the bands of levels \(names) are empty: their \(tokens) tokens only refine what coarser levels leave over. "
                + "Use bands: box for bands that match the grids."
        ]
    }

    /// - Throws: `PyramidMismatch` when images of this size are not what the pyramid divides.
    public func requireFits(height: Int, width: Int) throws {
        guard Grid(height, width) == finest else {
            throw PyramidMismatch(
                "the finest grid \(finest) does not fit images of \(height)×\(width); "
                    + "make it the last entry of grids, or resize the images.")
        }
    }

    /// - Throws: `PyramidMismatch` when two pyramids divide images differently; the text names the first
    ///   difference.
    public func requireSame(as other: FrequencyPyramid, this: String, that: String) throws {
        func demand(_ field: String, _ mine: some Equatable, _ theirs: some Equatable, _ agree: Bool) throws {
            guard agree else {
                throw PyramidMismatch(
                    "\(this) has \(field) \(mine), \(that) has \(theirs): they must be the same pyramid.")
            }
        }
        let (a, b) = (configuration, other.configuration)
        try demand("grids", "\(a.grids)", "\(b.grids)", a.grids == b.grids)
        try demand("basis", a.basis.rawValue, b.basis.rawValue, a.basis == b.basis)
        try demand("bands", a.bands.rawValue, b.bands.rawValue, a.bands == b.bands)
        try demand("sizing", a.sizing.rawValue, b.sizing.rawValue, a.sizing == b.sizing)
    }

    private func demandFinest(_ shape: Shape) {
        precondition(
            shape.rank == 4 && shape[1] == finest.height && shape[2] == finest.width,
            "a pyramid of \(finest) was given images \(shape)")
    }

    private static func filters(_ configuration: PyramidConfiguration, finest: Grid) -> [Filter] {
        let grids = configuration.grids
        switch (configuration.basis, configuration.bands) {
        case (.fourier, .box):
            return grids.map { grid in
                grid == finest
                    ? .everything
                    : .separable(
                        SeparableMap(
                            rows: boxFilter(kept: grid.height, of: finest.height),
                            columns: boxFilter(kept: grid.width, of: finest.width)))
            }
        case (.fourier, let bands):
            return bands.cumulativeWeights(grids).dropLast().map { .spectral($0) } + [.everything]
        case (.cosine, _):
            return grids.map { grid in
                guard grid != finest else { return .everything }
                let down = SeparableMap(.cosine, from: finest, to: grid)
                return .separable(SeparableMap(.cosine, from: grid, to: finest).after(down))
            }
        }
    }

    /// The circulant matrix of the box filter along one axis.
    private static func boxFilter(kept: Int, of size: Int) -> Matrix {
        // Whole weights below the kept Nyquist frequency, half of each of the pair on it.
        let kernel = (0..<size).map { offset in
            let below = Resampling.cosineSum(upTo: (kept - 1) / 2, turns: offset, per: size)
            let border = kept % 2 == 0 ? Resampling.cosine(ofTurns: kept / 2 * offset, per: size) : 0
            return (below + border) / Double(size)
        }
        var result = Matrix(zeros: size, size)
        for i in 0..<size { for j in 0..<size { result[i, j] = kernel[(i - j + size) % size] } }
        return result
    }
}

extension PyramidConfiguration {
    /// From the full size to a level's.
    var down: Resampling { sizing == .spectral ? spectral : .area }
    /// From a level's size to a larger one.
    var up: Resampling {
        switch sizing {
        case .areaBicubic: .bicubic
        case .areaBilinear: .bilinear
        case .spectral: spectral
        }
    }
    private var spectral: Resampling { basis == .fourier ? .fourier : .cosine }
}

/// A pyramid that does not fit what it is used with; the text says what to change.
public struct PyramidMismatch: Error, CustomStringConvertible, Equatable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
