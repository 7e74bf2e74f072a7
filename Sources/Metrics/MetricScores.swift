import Tensors

/// A metric's number, with a spread where its protocol has one.
public struct MetricScore: Sendable, Hashable {
    public let value: Double
    /// Over subsets or splits.
    public let deviation: Double?

    init(_ value: Double, deviation: Double? = nil) { (self.value, self.deviation) = (value, deviation) }
}

/// Scores one set against a reference; what several metrics share is computed once.
final class MetricScorer {
    private let own: SampleSetMeasures
    private let real: SampleSetMeasures
    private let test: SampleSetMeasures?
    private let realManifolds: ManifoldStore
    private let ownManifolds: ManifoldStore
    private var manifoldScores: [String: (three: ManifoldMetrics, five: ManifoldMetrics)?] = [:]

    /// - Parameters:
    ///   - realManifolds: shared by all scorers of one reference.
    ///   - test: held-out real images, which the copying score compares with.
    init(
        _ own: SampleSetMeasures, _ real: SampleSetMeasures, realManifolds: ManifoldStore,
        test: SampleSetMeasures?
    ) {
        (self.own, self.real, self.test, self.realManifolds) = (own, real, test, realManifolds)
        ownManifolds = ManifoldStore(own)
    }

    /// - Returns: nil when the sets lack what the metric needs.
    func score(_ metric: Metric) throws -> MetricScore? {
        if metric.needsInception { return try inceptionScore(metric.name) }
        if metric.needsFeatNet { return try featureScore(metric.name) }
        switch metric.name {
        case "fd-wm":
            guard let a = own.wavelets, let b = real.wavelets else { return nil }
            return MetricScore(try WaveletModulus.distance(a, reference: b).distance)
        case "fwd":
            guard let a = own.packets, let b = real.packets, a.count == b.count else { return nil }
            let distances = try zip(a, b).map { try FrechetDistance.between($0, $1).distance }
            return MetricScore(distances.reduce(0, +) / Double(distances.count))
        default:
            guard let a = own.spectra, let b = real.spectra, a.hasSize(of: b) else { return nil }
            return metric.name == "lsd"
                ? MetricScore(try SpectralDistance(a, reference: b).logSpectral)
                : MetricScore(try SpectralDistance.frechet(a, reference: b).distance)
        }
    }

    private func inceptionScore(_ name: String) throws -> MetricScore? {
        guard let a = own.inception, let b = real.inception else {
            if name == "is", let logits = own.inception?.logits { return try Self.inceptionScore(logits) }
            return nil
        }
        switch name {
        case "fid": return MetricScore(try FrechetDistance.between(a.statistics, b.statistics).distance)
        case "sfid":
            guard let x = a.spatial, let y = b.spatial else { return nil }
            return MetricScore(try FrechetDistance.between(x, y).distance)
        case "fid-inf": return try a.features.flatMap { try Self.extrapolated($0, b.statistics) }
        case "is": return try a.logits.map(Self.inceptionScore)
        default: break
        }
        guard let x = a.features, let y = b.features else { return nil }
        switch name {
        case "kid":
            let subsets = KernelDistance.subsets(
                firstCount: x.rows, secondCount: y.rows, size: min(1000, x.rows, y.rows))
            let (mean, deviation) = meanAndDeviation(
                try KernelDistance.subsetValues(x, y, subsets: subsets))
            return MetricScore(mean, deviation: deviation)
        case "kid-full": return MetricScore(try KernelDistance.squaredDiscrepancy(x, y))
        default: return try neighbourScore(String(name.dropLast("-fid".count)), \.inception?.features, "fid")
        }
    }

    private func featureScore(_ name: String) throws -> MetricScore? {
        guard let x = own.features, let y = real.features else { return nil }
        switch name {
        case "fd-feat":
            return MetricScore(
                try FrechetDistance.between(
                    FeatureStatistics(of: x, name: own.name), FeatureStatistics(of: y, name: real.name)
                ).distance)
        case "fd-feat-inf": return try Self.extrapolated(x, FeatureStatistics(of: y, name: real.name))
        case "kid-feat": return MetricScore(try KernelDistance.squaredDiscrepancy(x, y))
        case "cmmd-feat": return MetricScore(try KernelDistance.cmmd(x, y))
        case "vendi": return MetricScore(try Diversity.vendi(x))
        case "authpct": return MetricScore(try Memorisation.authenticity(samples: x, training: y))
        case "ct":
            guard let held = test?.features else { return nil }
            let cells = try CopyingCells(samples: x, test: held, training: y)
            return MetricScore(
                try Memorisation.cellCopyingScore(
                    samples: x, test: held, training: y,
                    cells: (cells.samples, cells.test, cells.training)
                ).total)
        case "nn-ratio":
            guard let manifold = try realManifolds.manifold(\.features, "feat") else { return nil }
            let spacing = median(manifold.radii(1))
            let distances = try Neighbours.nearest(of: x, in: y).compactMap { $0.first?.distance }
            return spacing > 0 ? MetricScore(median(distances) / spacing) : nil
        default: return try neighbourScore(name, \.features, "feat")
        }
    }

    private func neighbourScore(
        _ name: String, _ features: (SampleSetMeasures) -> Matrix?, _ kind: String
    ) throws -> MetricScore? {
        if manifoldScores[kind] == nil {
            manifoldScores[kind] = .some(nil)
            if let a = try ownManifolds.manifold(features, kind),
                let b = try realManifolds.manifold(features, kind)
            {
                manifoldScores[kind] = (
                    try ManifoldMetrics(samples: a, reference: b, k: 3),
                    try ManifoldMetrics(samples: a, reference: b, k: 5)
                )
            }
        }
        guard let scores = manifoldScores[kind] ?? nil else { return nil }
        switch name {
        case "precision": return MetricScore(scores.three.precision)
        case "recall": return MetricScore(scores.three.recall)
        case "density": return MetricScore(scores.five.density)
        case "coverage": return MetricScore(scores.five.coverage)
        default:
            let finite = scores.three.realism.filter(\.isFinite)
            return MetricScore(meanAndDeviation(finite).mean, deviation: meanAndDeviation(finite).deviation)
        }
    }

    /// Subsets of fifteen sizes, each drawn anew.
    private static func extrapolated(
        _ features: Matrix, _ reference: FeatureStatistics
    ) throws -> MetricScore? {
        let sizes = FrechetExtrapolation.sizes(sampleCount: features.rows)
        guard Set(sizes).count >= 2 else { return nil }
        var random = NumpyRandom(seed: 0)
        let subsets = sizes.filter { $0 >= 2 }.map { random.choice(features.rows, $0) }
        return MetricScore(
            try FrechetExtrapolation(generated: features, subsets: subsets, reference: reference).intercept)
    }

    private static func inceptionScore(_ logits: Matrix) throws -> MetricScore {
        var random = NumpyRandom(seed: 2020)
        let shuffled = logits.selecting(rows: random.permutation(logits.rows))
        let splits = InceptionScore.equalSplits(logits.rows, count: min(10, logits.rows))
        let (mean, deviation) = meanAndDeviation(
            try InceptionScore.scores(logits: shuffled, splits: splits))
        return MetricScore(mean, deviation: deviation)
    }
}

/// Manifolds of one set's features, made when first asked for.
final class ManifoldStore {
    private let set: SampleSetMeasures
    private var manifolds: [String: Manifold] = [:]

    init(_ set: SampleSetMeasures) { self.set = set }

    /// Nil for fewer than seven images.
    func manifold(_ features: (SampleSetMeasures) -> Matrix?, _ kind: String) throws -> Manifold? {
        if let known = manifolds[kind] { return known }
        guard let rows = features(set), rows.rows >= 7 else { return nil }
        let manifold = try Manifold(rows, largestK: 5, name: set.name)
        manifolds[kind] = manifold
        return manifold
    }
}
