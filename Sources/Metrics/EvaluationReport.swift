import Checkpoints
import Tensors

/// A comparison of a sample set with real data, every number with the protocol that made it and, where real data was
/// held out, with what that data scores.
public struct EvaluationReport: Sendable {
    /// One number.
    public struct Row: Sendable {
        /// `fd-feat`, `fd-wm`, `kid-feat`, `precision`, `recall`, `density`, `coverage`, `lsd`, `spectral-fd`,
        /// `nn-ratio`.
        public let metric: String
        public let value: Double
        /// The same for the held-out real images: what a perfect model would get.
        public let heldOut: Double?
        /// How it was computed, in a line.
        public let method: String
    }

    /// A range of spatial frequencies.
    public struct Band: Sendable {
        /// Cycles per image side.
        public let frequencies: ClosedRange<Int>
        /// Samples minus reference, dB: negative where samples lack detail.
        public let decibels: Double
    }

    public let rows: [Row]
    public let bands: [Band]
    public let sampleCount: Int
    public let referenceCount: Int
    public let heldOutCount: Int?
    /// Digest of the feature network's weights.
    public let featuresDigest: String?
    public let warnings: [String]

    public subscript(metric: String) -> Row? { rows.first { $0.metric == metric } }

    /// - Parameters:
    ///   - heldOut: real images that are not in the reference, as many as there are samples.
    /// - Throws: `MetricError` when features of different networks meet or a set is too small.
    public init(
        samples: SampleSetMeasures, reference: SampleSetMeasures, heldOut: SampleSetMeasures? = nil
    ) throws {
        guard samples.featuresDigest == reference.featuresDigest else {
            throw MetricError(
                "\(samples.name) and \(reference.name) were measured with different feature networks; "
                    + "measure both with the same weights.")
        }
        let manifold = try reference.features.flatMap { features in
            features.rows < 7 ? nil : try Manifold(features, largestK: 5, name: reference.name)
        }
        let own = try Self.scores(samples, reference, manifold)
        let real = try heldOut.map { try Self.scores($0, reference, manifold) } ?? [:]
        rows = Self.methods.compactMap { metric, method in
            own[metric].map { Row(metric: metric, value: $0, heldOut: real[metric], method: method) }
        }
        bands = try Self.bands(samples, reference)
        (sampleCount, referenceCount, heldOutCount) = (samples.count, reference.count, heldOut?.count)
        featuresDigest = samples.featuresDigest
        warnings = Self.warnings(samples, reference, heldOut)
    }

    /// In the order of printing.
    private static let methods = [
        ("fd-feat", "Fréchet distance of FeatNet-32 features (128)"),
        ("fd-wm", "Fréchet distance of standardised wavelet-modulus features (264), floor 0.02"),
        ("kid-feat", "unbiased MMD² of FeatNet-32 features, cubic kernel, all images"),
        ("precision", "k = 3, FeatNet-32 features"),
        ("recall", "k = 3, FeatNet-32 features"),
        ("density", "k = 5, FeatNet-32 features"),
        ("coverage", "k = 5, FeatNet-32 features"),
        ("lsd", "log-spectral distance of mean luma spectra, dB"),
        ("spectral-fd", "Fréchet distance of log-spectra of R, G, B"),
        ("nn-ratio", "median distance to the nearest reference image over the same between reference images"),
    ]

    private static func scores(
        _ samples: SampleSetMeasures, _ reference: SampleSetMeasures, _ manifold: Manifold?
    ) throws -> [String: Double] {
        var scores: [String: Double] = [:]
        scores["fd-wm"] = try WaveletModulus.distance(samples.wavelets, reference: reference.wavelets)
            .distance
        if let own = samples.features, let real = reference.features {
            scores["fd-feat"] = try FrechetDistance.between(
                FeatureStatistics(of: own, name: samples.name),
                FeatureStatistics(of: real, name: reference.name)
            ).distance
            scores["kid-feat"] = try KernelDistance.squaredDiscrepancy(own, real)
            if let manifold, own.rows >= 7 {
                let samples = try Manifold(own, largestK: 5, name: samples.name)
                try addNeighbourScores(samples, manifold, to: &scores)
            }
        }
        if let own = samples.spectra, let real = reference.spectra, own.hasSize(of: real) {
            scores["lsd"] = try SpectralDistance(own, reference: real).logSpectral
            scores["spectral-fd"] = try SpectralDistance.frechet(own, reference: real).distance
        }
        return scores
    }

    private static func addNeighbourScores(
        _ own: Manifold, _ real: Manifold, to scores: inout [String: Double]
    ) throws {
        let three = try ManifoldMetrics(samples: own, reference: real, k: 3)
        let five = try ManifoldMetrics(samples: own, reference: real, k: 5)
        (scores["precision"], scores["recall"]) = (three.precision, three.recall)
        (scores["density"], scores["coverage"]) = (five.density, five.coverage)
        let toReference = try Neighbours.nearest(of: own.features, in: real.features).compactMap {
            $0.first?.distance
        }
        let spacing = median(real.radii(1))
        if spacing > 0 { scores["nn-ratio"] = median(toReference) / spacing }
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

    private static func warnings(
        _ samples: SampleSetMeasures, _ reference: SampleSetMeasures, _ heldOut: SampleSetMeasures?
    ) -> [String] {
        var warnings: [String] = []
        let sets = [samples, reference]
        for set in sets where set.count <= WaveletModulus.dimensions {
            warnings.append(
                "\(set.name): \(set.count) images are fewer than the features' dimensions; Fréchet distances are "
                    + "comparable only at equal counts.")
        }
        for set in sets where set.duplicateCount > 0 {
            warnings.append("\(set.name): \(set.duplicateCount) of \(set.count) images are exact duplicates.")
        }
        for set in sets where set.spectra == nil {
            warnings.append("\(set.name): images of different sizes, so no spectra were compared.")
        }
        if let own = samples.spectra, let real = reference.spectra, !own.hasSize(of: real) {
            warnings.append(
                "images are \(own.spectrum.width)×\(own.spectrum.height) and \(real.spectrum.width)×"
                    + "\(real.spectrum.height), so no spectra were compared.")
        }
        if let heldOut, heldOut.count != samples.count {
            warnings.append(
                "the held-out set has \(heldOut.count) images, the samples \(samples.count): distances fall with the "
                    + "count, so the columns do not compare.")
        }
        return warnings
    }
}

extension SpectralStatistics {
    func hasSize(of other: SpectralStatistics) -> Bool {
        spectrum.height == other.spectrum.height && spectrum.width == other.spectrum.width
    }
}
