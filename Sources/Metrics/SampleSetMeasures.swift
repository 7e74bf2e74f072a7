import Images
import Tensors

/// Everything the chosen metrics need to know of a set of images, gathered in one pass.
public struct SampleSetMeasures: Sendable {
    /// What reports and errors call the set.
    public let name: String
    /// Nil for statistics of a file that does not say how many images made them.
    public let knownCount: Int?
    /// FeatNet features, a row per image.
    public var features: Matrix?
    /// Digest of the weights that made the features.
    public var featuresDigest: String?
    /// Statistics of the wavelet-modulus features.
    public var wavelets: FeatureStatistics?
    /// Nil when the images have different sizes.
    public var spectra: SpectralStatistics?
    /// Of every packet of a Haar transform; nil when the images have different or odd sizes.
    public var packets: [FeatureStatistics]?
    /// Of the FID network.
    public var inception: InceptionMeasures?
    /// Images that repeat an earlier one in every byte.
    public var duplicateCount = 0
    /// Width and height of the first image, and whether others differ.
    public var size: ImageExtent?
    public var hasMixedSizes = false

    public var count: Int { knownCount ?? 0 }

    /// A set that is known by its statistics alone.
    public init(name: String, count: Int?, inception: InceptionMeasures? = nil) {
        (self.name, knownCount, self.inception) = (name, count, inception)
    }
}

/// Width and height in pixels.
public struct ImageExtent: Sendable, Hashable, CustomStringConvertible {
    public let width: Int
    public let height: Int

    public var description: String { "\(width)×\(height)" }
}

/// Gathers `SampleSetMeasures` from images in any batches; the result depends on the images and their order only.
public struct SampleSetMeasurer: Sendable {
    private let name: String
    private let network: FeatNet?
    private let needs: MeasurementNeeds
    private var features: [Double] = []
    private var wavelets = StatisticsAccumulator(dimensions: WaveletModulus.dimensions)
    private var spectra: SpectralStatistics?
    private var packets: PacketMeasurer?
    private var size: ImageExtent?
    private var hasMixedSizes = false
    private var seen: Set<UInt64> = []
    private var pending: [Image] = []
    public private(set) var count = 0

    /// - Parameters:
    ///   - network: nil leaves out the metrics that need learned features.
    ///   - needs: what to gather.
    public init(
        name: String, network: FeatNet?, needs: MeasurementNeeds = [.featNet, .waveletModulus, .spectra]
    ) {
        (self.name, self.network, self.needs) = (name, network, needs)
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
        var measures = SampleSetMeasures(name: name, count: count)
        if network != nil, needs.contains(.featNet) {
            measures.features = Matrix(rows: count, columns: FeatNet.dimensions, values: features)
            measures.featuresDigest = network?.digest
        }
        if needs.contains(.waveletModulus) { measures.wavelets = try wavelets.statistics(name: name) }
        if !hasMixedSizes {
            measures.spectra = spectra
            measures.packets = try packets?.statistics(name: name)
        }
        (measures.size, measures.hasMixedSizes) = (size, hasMixedSizes)
        measures.duplicateCount = count - seen.count
        return measures
    }

    private struct Measured {
        let digest: UInt64
        let small: PixelGrid?
        let wavelets: [Double]?
        let spectrum: (lumaPower: [Double], logFeature: [Double])?
        let packets: [[Double]]?
        let fits: Bool
    }

    private mutating func measure(_ images: [Image]) throws {
        guard let first = images.first else { return }
        if size == nil {
            size = ImageExtent(width: first.width, height: first.height)
            if needs.contains(.spectra) {
                spectra = SpectralStatistics(height: first.height, width: first.width, channels: 3)
            }
            if needs.contains(.waveletPackets) {
                packets = PacketMeasurer(height: first.height, width: first.width)
            }
        }
        for image in try ComputeThreads.map(images, { try measured($0) }) {
            seen.insert(image.digest)
            if let row = image.wavelets { wavelets.add(row: row) }
            if let spectrum = image.spectrum { spectra?.add(spectrum) }
            if let coefficients = image.packets { packets?.add(coefficients) }
            if !image.fits { hasMixedSizes = true }
            if let small = image.small { smallImages.append(small) }
        }
        if let network, needs.contains(.featNet) { features += network.features(of: smallImages).values }
        smallImages = []
        count += images.count
    }

    private var smallImages: [PixelGrid] = []

    private func measured(_ image: Image) throws -> Measured {
        let grid = PixelGrid(rgb: image)
        let needsSmall = !needs.isDisjoint(with: [.featNet, .waveletModulus])
        let small =
            needsSmall ? grid.resized(height: WaveletModulus.side, width: WaveletModulus.side) : nil
        let fits = grid.height == size?.height && grid.width == size?.width
        return Measured(
            digest: image.contentHash, small: small,
            wavelets: needs.contains(.waveletModulus) ? small.map(WaveletModulus.features) : nil,
            spectrum: try spectra.flatMap {
                fits ? try SpectralStatistics.measure(grid, $0.spectrum) : nil
            }, packets: try packets.flatMap { fits ? try $0.transform.packets(of: grid) : nil }, fits: fits)
    }
}

/// Statistics of every packet of a Haar transform, streamed.
struct PacketMeasurer: Sendable {
    let transform: WaveletPacketDistance
    private var accumulators: [StatisticsAccumulator] = []

    /// Nil for odd sides. As many levels as leave packets of at least 4×4, at most 4.
    init?(height: Int, width: Int) {
        var level = 0
        while level < 4, height % (2 << level) == 0, width % (2 << level) == 0,
            min(height, width) >> (level + 1) >= 4
        {
            level += 1
        }
        guard level > 0 else { return nil }
        transform = WaveletPacketDistance(level: level)
    }

    mutating func add(_ packets: [[Double]]) {
        if accumulators.isEmpty {
            accumulators = packets.map { StatisticsAccumulator(dimensions: $0.count) }
        }
        for (index, row) in packets.enumerated() { accumulators[index].add(row: row) }
    }

    func statistics(name: String) throws -> [FeatureStatistics] {
        try accumulators.map { try $0.statistics(name: name) }
    }
}

extension Image {
    /// A hash of size and samples, to find equal images and to tell sets apart.
    public var contentHash: UInt64 {
        var hash = StableHash.mix(UInt64(width) << 32 | UInt64(height))
        bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        }
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
