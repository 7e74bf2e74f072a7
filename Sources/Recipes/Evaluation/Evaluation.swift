import Archives
import Checkpoints
import Images
import Metrics
import Tensors
import Training

/// What is to be evaluated, and how.
public struct EvaluationRequest: Sendable {
    /// A folder, zip or npz of images; nil when they are generated.
    public var samples: String?
    /// Samples made on the way instead.
    public var generation: GenerationPlan?
    /// Its reconstructions of `against` instead, scored against the images themselves.
    public var autoencoder: LoadedAutoencoder?
    /// Real data: images, statistics, or a file of `configs/` whose data, and whose held-out part, are taken.
    public var against: String
    /// Real images that are not in the reference; nil takes them out of it.
    public var heldOut: String?
    /// Names; empty for the usual ones.
    public var metrics: [String] = []
    /// At most so many reference images, drawn evenly.
    public var limit = 10_000
    /// Weights of the FID network.
    public var inception: String?
    public var mode = InceptionMode.tensorFlow1
    /// LPIPS's network, its weights, and its heads where they have a file of their own.
    public var lpips = PerceptualDistance.Backbone.alex
    public var lpipsTrunk: String?
    public var lpipsHeads: String?
    /// Where features are kept between runs; nil for nowhere.
    public var cache: String?

    public init(samples: String? = nil, generation: GenerationPlan? = nil, against: String) {
        (self.samples, self.generation, self.against) = (samples, generation, against)
    }
}

/// Scores a set of samples against real data, beside an equally large set of real images held out from it: what a
/// perfect model would score.
public struct Evaluation: Sendable {
    public let request: EvaluationRequest
    public let metrics: EvaluationMetrics
    public let samples: any ImageSource
    /// Nil when the reference is statistics alone.
    public let reference: (any ImageSource)?
    public let heldOut: (any ImageSource)?
    public private(set) var warnings: [String] = []
    private let stored: SampleSetMeasures?
    private let network: FeatNet?
    private let extractor: InceptionExtractor?

    /// Opens everything, and checks that the metrics can be had.
    /// - Throws: `EvaluationError`, errors of opening data and weights.
    public init(_ request: EvaluationRequest) throws {
        self.request = request
        var metrics = try Self.metrics(request)
        if request.inception == nil, let metric = metrics.sets.first(where: \.needsInception) {
            throw EvaluationError(
                "\(metric.name) needs Inception's weights; give pt_inception-2015-12-05-6726825d.pth with --inception"
            )
        }
        let real: EvaluationReference
        if let autoencoder = request.autoencoder {
            let originals = try autoencoder.inputs(of: request.against, limit: request.limit)
            samples = ReconstructedSource(autoencoder: autoencoder, originals: originals)
            real = EvaluationReference(originals)
        } else {
            samples = try Self.samples(request)
            let isPaired = metrics.sets.isEmpty && !metrics.pairs.isEmpty
            real = try EvaluationReference(
                request.against, heldOut: request.heldOut, holdout: isPaired ? 0 : samples.count,
                limit: isPaired || !metrics.pairs.isEmpty ? .max : request.limit)
        }
        (reference, heldOut, stored) = (real.images, real.heldOut, real.statistics)
        if reference == nil {
            metrics = try Self.limited(metrics, request: request, statistics: real.statistics)
        }
        var network: FeatNet?
        if metrics.needs.contains(.featNet) {
            do { network = try Self.featNet() } catch let error as EvaluationError
                where request.metrics.isEmpty
            {
                warnings.append("\(error); only the metrics that need no weights are computed")
            }
        }
        if metrics.pairs.contains(.lpips), request.lpipsTrunk == nil {
            throw EvaluationError(
                "lpips needs the weights of \(request.lpips.rawValue); give them with --lpips-trunk and --lpips-heads"
            )
        }
        self.network = network
        self.metrics = metrics
        extractor =
            try metrics.needs.isDisjoint(with: .anyInception)
            ? nil : request.inception.map { try InceptionExtractor(path: $0, mode: request.mode) }
        warnings += Self.formatWarnings(samples, reference)
    }

    /// FeatNet with the weights that come with the project.
    static func featNet() throws -> FeatNet {
        let name = "samplers/weights/featnet-cifar10.safetensors"
        guard let path = ProjectFiles.find(name) else {
            throw EvaluationError("\(name) was not found; set SFUMATO_HOME to the project's folder")
        }
        return try FeatNet(path: path)
    }

    private static func metrics(_ request: EvaluationRequest) throws -> EvaluationMetrics {
        guard request.metrics.isEmpty else { return try EvaluationMetrics(named: request.metrics) }
        let hasInception = request.inception != nil
        return request.autoencoder.map {
            EvaluationMetrics(
                reconstructions: $0.configuration.fixedSize, hasInception: hasInception)
        } ?? EvaluationMetrics(hasInception: hasInception)
    }

    private static func samples(_ request: EvaluationRequest) throws -> any ImageSource {
        if let plan = request.generation { return try GeneratedSource(plan) }
        guard let path = request.samples else {
            throw EvaluationError("nothing is to be evaluated; give samples, or a recipe with --recipe")
        }
        return DatasetSource(dataset: try SampleSet.open(path))
    }

    /// Statistics without images allow for some metrics only.
    private static func limited(
        _ metrics: EvaluationMetrics, request: EvaluationRequest, statistics: SampleSetMeasures?
    ) throws -> EvaluationMetrics {
        var possible = ["fid", "is"]
        if statistics?.inception?.spatial != nil { possible.append("sfid") }
        if request.metrics.isEmpty, request.inception != nil {
            return try EvaluationMetrics(named: possible.filter { $0 != "is" })
        }
        let names = metrics.sets.map(\.name) + metrics.pairs.map(\.rawValue)
        guard let wrong = names.first(where: { !possible.contains($0) }) else { return metrics }
        throw EvaluationError(
            "\(request.against): holds statistics only, which give \(possible.joined(separator: ", ")), not \(wrong); "
                + "add --inception FILE --metrics fid, or give real images")
    }

    private static func formatWarnings(_ samples: any ImageSource, _ real: (any ImageSource)?) -> [String] {
        var warnings: [String] = []
        let formats = (samples.formats, real?.formats ?? [])
        for (set, formats) in [(samples.name, formats.0), (real?.name ?? "", formats.1)]
        where formats.count > 1 {
            warnings.append("\(set): PNG and JPEG images are mixed; JPEG's losses change every score.")
        }
        if formats.0.count == 1, formats.1.count == 1, formats.0 != formats.1 {
            warnings.append(
                "the samples are \(formats.0.first ?? ""), the reference is \(formats.1.first ?? ""): JPEG's losses "
                    + "change every score; compare sets stored alike.")
        }
        return warnings
    }

    /// How many images will be looked at.
    public var imageCount: Int {
        guard !metrics.sets.isEmpty else { return samples.count }
        return samples.count + (reference?.count ?? 0) + (heldOut?.count ?? 0)
            + (metrics.pairs.isEmpty ? 0 : samples.count)
    }

    /// - Parameter progress: called with the number of images measured since the last call.
    /// - Throws: `MetricError`, errors of reading images.
    public func report(progress: (Int) -> Void = { _ in }) throws -> EvaluationReport {
        var report = EvaluationReport(sampleCount: samples.count, referenceCount: reference?.count ?? 0)
        if !metrics.sets.isEmpty { report = try setReport(progress) }
        if !metrics.pairs.isEmpty, let reference {
            report.rows += try PairEvaluation(samples: samples, reference: reference).rows(
                metrics.pairs, network: lpipsNetwork(), progress: progress)
        }
        report.facts.insert(("samples", samples.name), at: 0)
        report.facts.insert(("reference", request.against), at: 1)
        report.warnings = warnings + report.warnings
        return report
    }

    private func lpipsNetwork() throws -> PerceptualDistance? {
        guard metrics.pairs.contains(.lpips), let trunk = request.lpipsTrunk else { return nil }
        return try PerceptualDistance(request.lpips, trunkPath: trunk, headPath: request.lpipsHeads)
    }

    private func setReport(_ progress: (Int) -> Void) throws -> EvaluationReport {
        let own = try measure(samples, progress)
        var real = try reference.map { try measure($0, progress) }
        let held = try heldOut.map { try measure($0, progress) }
        var measures = real?.measures ?? SampleSetMeasures(name: request.against, count: nil)
        if let statistics = stored?.inception {
            // The file's statistics are of its whole data set, its images a part of it.
            let rows = measures.inception?.features
            measures.inception = statistics
            measures.inception?.features = rows
            if measures.knownCount == nil { measures = stored ?? measures }
        }
        var report = try EvaluationReport(
            samples: own.measures, reference: measures, heldOut: held?.measures, metrics: metrics.sets)
        for (name, result) in [("samples", own), ("reference", real), ("held-out", held)] {
            if let digest = result?.dataDigest { report.facts.append(("\(name) sha256", digest)) }
        }
        real = nil
        let missing = metrics.sets.filter { report[$0.name] == nil }.map(\.name)
        if !missing.isEmpty {
            report.warnings.append(
                "could not be computed from these sets: \(missing.joined(separator: ", ")).")
        }
        return report
    }

    private func measure(_ set: any ImageSource, _ progress: (Int) -> Void) throws -> SetMeasurement.Result {
        try SetMeasurement(
            source: set, needs: metrics.needs, network: network, extractor: extractor,
            cacheFolder: request.cache
        ).run(progress: progress)
    }

    /// The samples' Inception statistics, as arrays of an `.npz` for later comparisons.
    /// - Throws: `EvaluationError` without Inception weights.
    public func sampleStatistics(progress: (Int) -> Void = { _ in }) throws -> [StoredTensor] {
        let result = try measure(samples, progress)
        guard let inception = result.measures.inception else {
            throw EvaluationError(
                "statistics are of Inception features; give --inception and a metric like fid")
        }
        return StatisticsFile.arrays(inception, dataDigest: result.dataDigest ?? "")
    }
}
