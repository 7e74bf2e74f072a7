import Layers
import Tensors

/// The numbers that bring every band to unit size; measured once over the training set and kept with a model.
public struct OctaveNormalization: Codable, Hashable, Sendable {
    /// Mean of each channel at the first level.
    public var mean: [Float]
    /// RMS per channel: of the first level's map less its mean, then of each packed band.
    public var scales: [[Float]]
    /// RMS per channel of each level's map, by which it is divided as a context.
    public var contextScales: [[Float]]

    public init(mean: [Float], scales: [[Float]], contextScales: [[Float]]) {
        self.mean = mean
        self.scales = scales
        self.contextScales = contextScales
    }
}

/// Images as one map of continuous tokens per level, without a learned tokenizer (`specs/nfig.md`, section
/// 12): the image at the first grid, then for each doubling the packed detail on the grid below.
///
/// p(x) = p(c₁)·Π p(d_i | c_{i−1}) holds exactly, because the cosine boxes are orthogonal.
public struct OctaveTokenizer: Sendable {
    public let pyramid: FrequencyPyramid
    public let channels: Int
    public let normalization: OctaveNormalization
    private let packings: [OctavePacking]

    /// - Throws: `ConfigurationError`, `PyramidMismatch` for grids that do not double, or numbers of other
    ///   levels.
    public init(grids: [Grid], channels: Int, normalization: OctaveNormalization) throws {
        pyramid = try FrequencyPyramid(.octaves(grids))
        packings = try Self.packings(grids)
        self.channels = channels
        self.normalization = normalization
        let widths = grids.indices.map { $0 == 0 ? channels : 3 * channels }
        guard normalization.mean.count == channels, normalization.scales.map(\.count) == widths,
            normalization.contextScales.map(\.count) == grids.map({ _ in channels })
        else {
            throw PyramidMismatch(
                "the stored band sizes are those of \(normalization.scales.count) levels with \(normalization.mean.count) channels, "
                    + "the pyramid has \(grids.count) levels with \(channels): take the checkpoint's own grids."
            )
        }
        guard
            (normalization.scales + normalization.contextScales).allSatisfy({
                $0.allSatisfy { $0 > 0 && $0.isFinite }
            })
        else { throw PyramidMismatch("the stored band sizes must be positive numbers.") }
    }

    private static func packings(_ grids: [Grid]) throws -> [OctavePacking] {
        try zip(grids, grids.dropFirst()).map { try OctavePacking(coarse: $0, fine: $1) }
    }

    public var levelCount: Int { pyramid.levelCount }

    /// The grid that a level's tokens lie on: its own at the first level, the one below after that.
    public func tokenGrid(_ level: Int) -> Grid { pyramid.grids[max(0, level - 1)] }

    /// Channels of a level's tokens.
    public func tokenChannels(_ level: Int) -> Int { level == 0 ? channels : 3 * channels }

    /// The normalised tokens of images `[N, H, W, C]` at a level.
    public func tokens(_ images: Tensor, level: Int) -> Tensor {
        if level == 0 {
            return (pyramid.down(images, to: 0) - vector(normalization.mean))
                / vector(normalization.scales[0])
        }
        return packings[level - 1].pack(pyramid.detail(images, level: level))
            / vector(normalization.scales[level])
    }

    /// The map of a level from its tokens and the map below; lower bands stay as they are.
    public func join(_ tokens: Tensor, previous: Tensor?, level: Int) -> Tensor {
        let scaled = tokens * vector(normalization.scales[level])
        guard let previous, level > 0 else { return scaled + vector(normalization.mean) }
        return pyramid.resize(previous, from: level - 1, to: level) + packings[level - 1].unpack(scaled)
    }

    /// What the network sees of the levels below: the map below, divided by its size; nil at the first level.
    public func context(_ previous: Tensor?, level: Int) -> Tensor? {
        guard let previous, level > 0 else { return nil }
        return previous / vector(normalization.contextScales[level - 1])
    }

    private func vector(_ values: [Float]) -> Tensor { Tensor(shape: [values.count], scalars: values) }
}

extension OctaveTokenizer {
    /// Gathers the normalisation over batches of a training set.
    public struct Measurement {
        private let pyramid: FrequencyPyramid
        private let packings: [OctavePacking]
        private let channels: Int
        private var sums: [[Double]]
        private var squares: [[Double]]
        private var contexts: [[Double]]
        private var counts: [Double]

        /// - Throws: `ConfigurationError`, `PyramidMismatch` for grids that cannot be.
        public init(grids: [Grid], channels: Int) throws {
            pyramid = try FrequencyPyramid(.octaves(grids))
            packings = try OctaveTokenizer.packings(grids)
            self.channels = channels
            let widths = grids.indices.map { $0 == 0 ? channels : 3 * channels }
            sums = widths.map { Array(repeating: 0, count: $0) }
            squares = sums
            contexts = grids.map { _ in Array(repeating: 0, count: channels) }
            counts = grids.map { _ in 0 }
        }

        /// Counts images `[N, H, W, C]` in.
        public mutating func add(_ images: Tensor) {
            for level in 0..<pyramid.levelCount {
                let map = pyramid.down(images, to: level)
                let band = level == 0 ? map : packings[level - 1].pack(pyramid.detail(images, level: level))
                Self.accumulate(band, &sums[level]) { $0 }
                Self.accumulate(band, &squares[level]) { $0 * $0 }
                Self.accumulate(map, &contexts[level]) { $0 * $0 }
                counts[level] += Double(map.shape.rows)
            }
        }

        private static func accumulate(_ x: Tensor, _ totals: inout [Double], _ value: (Double) -> Double) {
            let width = totals.count
            x.withScalars { scalars in
                for (place, scalar) in scalars.enumerated() { totals[place % width] += value(Double(scalar)) }
            }
        }

        /// The numbers so far; a band without any power counts as one of unit size.
        public var normalization: OctaveNormalization {
            func root(_ value: Double) -> Float { value > 1e-12 ? Float(value.squareRoot()) : 1 }
            let mean = sums[0].map { $0 / max(1, counts[0]) }
            let scales = squares.enumerated().map { level, squares in
                squares.enumerated().map { channel, square in
                    // A band lies on the grid below: a quarter of the places.
                    let count = max(1, level == 0 ? counts[0] : counts[level] / 4)
                    return root(square / count - (level == 0 ? mean[channel] * mean[channel] : 0))
                }
            }
            return OctaveNormalization(
                mean: mean.map { Float($0) }, scales: scales,
                contextScales: contexts.enumerated().map { level, squares in
                    squares.map { root($0 / max(1, counts[level])) }
                })
        }
    }
}
