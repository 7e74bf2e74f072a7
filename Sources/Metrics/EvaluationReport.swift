import Checkpoints
import Tensors

/// A comparison of a sample set with real data, every number with the protocol that made it and, where real data was
/// held out, with what that data scores.
public struct EvaluationReport: Sendable {
    /// One number.
    public struct Row: Sendable {
        /// A name of `Metric.all`, or of `PairMetric`.
        public let metric: String
        public let value: Double
        /// Over subsets, splits or images, where the protocol has a spread.
        public var deviation: Double?
        /// The same for the held-out real images: what a perfect model would get.
        public let heldOut: Double?
        /// How it was computed, in a line.
        public let method: String

        public init(
            metric: String, value: Double, deviation: Double? = nil, heldOut: Double? = nil, method: String
        ) {
            (self.metric, self.value, self.deviation) = (metric, value, deviation)
            (self.heldOut, self.method) = (heldOut, method)
        }
    }

    /// A range of spatial frequencies.
    public struct Band: Sendable {
        /// Cycles per image side.
        public let frequencies: ClosedRange<Int>
        /// Samples minus reference, dB: negative where samples lack detail.
        public let decibels: Double
    }

    public var rows: [Row] = []
    public private(set) var bands: [Band] = []
    /// Decibels per frequency of samples and reference, from one cycle per side on.
    public private(set) var spectra: (samples: [Double], reference: [Double])?
    public private(set) var neighbours: NeighbourReport?
    public let sampleCount: Int
    /// Nil for statistics of unknown origin.
    public let referenceCount: Int?
    public let heldOutCount: Int?
    /// Digest of the feature network's weights.
    public private(set) var featuresDigest: String?
    /// Digest and mode of the FID network, where one was given.
    public private(set) var inception: (digest: String, mode: String)?
    public var warnings: [String] = []
    /// Facts of the protocol: names of the sets, digests of data.
    public var facts: [(name: String, value: String)] = []

    public subscript(metric: String) -> Row? { rows.first { $0.metric == metric } }

    /// A report without scores of sets, for scores of pairs.
    public init(sampleCount: Int, referenceCount: Int) {
        (self.sampleCount, self.referenceCount, heldOutCount) = (sampleCount, referenceCount, nil)
    }

    /// - Parameters:
    ///   - heldOut: real images that are not in the reference, as many as there are samples.
    /// - Throws: `MetricError` when features of different networks meet or a set is too small.
    public init(
        samples: SampleSetMeasures, reference: SampleSetMeasures, heldOut: SampleSetMeasures? = nil,
        metrics: [Metric] = Metric.standard
    ) throws {
        try Self.checkExtractors(samples, reference)
        let manifolds = ManifoldStore(reference)
        let own = MetricScorer(samples, reference, realManifolds: manifolds, test: heldOut)
        let real = heldOut.map { MetricScorer($0, reference, realManifolds: manifolds, test: nil) }
        (sampleCount, referenceCount, heldOutCount) = (
            samples.count, reference.knownCount, heldOut?.count
        )
        for metric in Metric.all where metrics.contains(metric) {
            guard let score = try own.score(metric) else { continue }
            var method = metric.method
            if metric.needsInception, let mode = samples.inception?.mode { method += ", \(mode)" }
            rows.append(
                Row(
                    metric: metric.name, value: score.value, deviation: score.deviation,
                    heldOut: try real?.score(metric)?.value, method: method))
        }
        bands = try Self.bands(samples, reference)
        if let a = samples.spectra, let b = reference.spectra, a.hasSize(of: b) {
            spectra = (a.decibels, b.decibels)
        }
        let wantsNeighbours = metrics.contains { ["nn-ratio", "authpct", "ct"].contains($0.name) }
        if wantsNeighbours, let x = samples.features, let y = reference.features {
            neighbours = try NeighbourReport(samples: x, reference: y, heldOut: heldOut?.features)
        }
        featuresDigest = samples.features == nil ? nil : samples.featuresDigest
        inception = samples.inception.map { ($0.digest, $0.mode) }
        warnings = EvaluationWarnings.of(samples, reference, heldOut, metrics)
    }

    private static func checkExtractors(_ samples: SampleSetMeasures, _ reference: SampleSetMeasures) throws {
        if let a = samples.featuresDigest, let b = reference.featuresDigest, a != b {
            throw MetricError(
                "\(samples.name) and \(reference.name) were measured with different feature networks; "
                    + "measure both with the same weights.")
        }
        guard let a = samples.inception, let b = reference.inception else { return }
        guard b.mode.isEmpty || a.mode == b.mode else {
            throw MetricError(
                "\(reference.name) was measured in the mode \(b.mode), \(samples.name) in \(a.mode); "
                    + "use --mode \(b.mode).")
        }
        guard b.digest.isEmpty || a.digest == b.digest else {
            throw MetricError(
                "\(reference.name) was measured with other Inception weights (\(b.digest.prefix(12))…) than "
                    + "\(samples.name) (\(a.digest.prefix(12))…); measure both with the same.")
        }
    }

    /// Octaves of spatial frequency.
    private static func bands(
        _ samples: SampleSetMeasures, _ reference: SampleSetMeasures
    ) throws -> [Band] {
        guard let own = samples.spectra, let real = reference.spectra, own.hasSize(of: real) else {
            return []
        }
        let perBin = try SpectralDistance(own, reference: real).perBin
        var bands: [Band] = []
        var first = 1
        while first <= perBin.count {
            let last = min(2 * first - 1, perBin.count)
            let mean = perBin[first - 1..<last].reduce(0, +) / Double(last - first + 1)
            bands.append(Band(frequencies: first...last, decibels: mean))
            first = last + 1
        }
        return bands
    }
}

extension SpectralStatistics {
    func hasSize(of other: SpectralStatistics) -> Bool {
        spectrum.height == other.spectrum.height && spectrum.width == other.spectrum.width
    }
}
