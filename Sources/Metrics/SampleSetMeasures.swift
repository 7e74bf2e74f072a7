import Images
import Tensors

/// Everything the default metrics need to know of a set of images, gathered in one pass.
public struct SampleSetMeasures: Sendable {
    /// What reports and errors call the set.
    public let name: String
    public let count: Int
    /// FeatNet features, a row per image; nil when no weights were given.
    public let features: Matrix?
    /// Digest of the weights that made the features.
    public let featuresDigest: String?
    /// Statistics of the wavelet-modulus features.
    public let wavelets: FeatureStatistics
    /// Nil when the images have different sizes.
    public let spectra: SpectralStatistics?
    /// Images that repeat an earlier one in every byte.
    public let duplicateCount: Int
}

/// Gathers `SampleSetMeasures` from images in any batches; the result depends on the images and their order only.
public struct SampleSetMeasurer: Sendable {
    private let name: String
    private let network: FeatNet?
    private var features: [Double] = []
    private var wavelets = StatisticsAccumulator(dimensions: WaveletModulus.dimensions)
    private var spectra: SpectralStatistics?
    private var hasMixedSizes = false
    private var seen: Set<UInt64> = []
    private var pending: [Image] = []
    public private(set) var count = 0

    /// - Parameter network: nil leaves out the metrics that need learned features.
    public init(name: String, network: FeatNet?) {
        (self.name, self.network) = (name, network)
    }

    /// Adds images of any sizes.
    public mutating func add(_ images: [Image]) throws {
        pending += images
        while pending.count >= FeatNet.groupSize {
            try measure(Array(pending.prefix(FeatNet.groupSize)))
            pending.removeFirst(FeatNet.groupSize)
        }
    }

    /// - Throws: `MetricError` for fewer than two images.
    public mutating func finish() throws -> SampleSetMeasures {
        try measure(pending)
        pending = []
        guard count >= 2 else {
            throw MetricError("\(name): \(count) image(s), a comparison needs at least 2.")
        }
        return SampleSetMeasures(
            name: name, count: count,
            features: network == nil
                ? nil : Matrix(rows: count, columns: FeatNet.dimensions, values: features),
            featuresDigest: network?.digest, wavelets: try wavelets.statistics(name: name),
            spectra: hasMixedSizes ? nil : spectra, duplicateCount: count - seen.count)
    }

    private struct Measured {
        let digest: UInt64
        let small: PixelGrid
        let wavelets: [Double]
        let spectrum: (lumaPower: [Double], logFeature: [Double])?
    }

    private mutating func measure(_ images: [Image]) throws {
        guard let first = images.first else { return }
        if spectra == nil {
            spectra = SpectralStatistics(height: first.height, width: first.width, channels: 3)
        }
        let spectrum = spectra?.spectrum
        let measured = try ComputeThreads.map(images) { image in
            let grid = PixelGrid(rgb: image)
            let small = grid.resized(height: WaveletModulus.side, width: WaveletModulus.side)
            let fits = grid.height == spectrum?.height && grid.width == spectrum?.width
            return Measured(
                digest: Self.digest(image), small: small, wavelets: WaveletModulus.features(of: small),
                spectrum: try spectrum.flatMap { fits ? try SpectralStatistics.measure(grid, $0) : nil })
        }
        for image in measured {
            seen.insert(image.digest)
            wavelets.add(row: image.wavelets)
            if let spectrum = image.spectrum { spectra?.add(spectrum) } else { hasMixedSizes = true }
        }
        if let network { features += network.features(of: measured.map(\.small)).values }
        count += images.count
    }

    private static func digest(_ image: Image) -> UInt64 {
        var hash = StableHash.mix(UInt64(image.width) << 32 | UInt64(image.height))
        for byte in image.bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return hash
    }
}

/// A division of real data into a reference and a set held out of it, to show what a perfect model would score.
public struct HeldOutSplit: Sendable {
    public let reference: [Int]
    public let heldOut: [Int]

    /// Holds out `heldOutCount` of `count` images, at most half, drawn by seed.
    public init(count: Int, heldOutCount: Int, seed: UInt64 = 0) {
        let order = RandomStream(seed: seed).stream(named: "held-out").permutation(count: count)
        let taken = min(heldOutCount, count / 2)
        (heldOut, reference) = (order.prefix(taken).sorted(), order.dropFirst(taken).sorted())
    }
}
