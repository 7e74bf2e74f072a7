import Archives
import Checkpoints
import Images
import Metrics
import Tensors
import Training

/// Scores a set of samples against real data, beside an equally large set of real images held out from it: what a
/// perfect model would score.
public struct Evaluation: Sendable {
    /// The metrics there are, in the order of the report.
    public static let metrics = [
        "fd-feat", "fd-wm", "kid-feat", "precision", "recall", "density", "coverage", "lsd", "spectral-fd",
        "nn-ratio",
    ]
    /// Those that need FeatNet's weights.
    private static let learned: Set<String> = [
        "fd-feat", "kid-feat", "precision", "recall", "density", "coverage", "nn-ratio",
    ]

    public let samples: any ImageDataset
    public let reference: any ImageDataset
    public let heldOut: (any ImageDataset)?
    public let metrics: [String]
    private let network: FeatNet?
    public private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - samples: a folder, zip or npz.
    ///   - against: real data, or a file of `configs/` whose data, and whose held-out part, are taken.
    ///   - heldOut: real images that are not in the reference; nil takes them out of it.
    ///   - metrics: empty for all.
    ///   - limit: at most so many reference images, drawn evenly.
    /// - Throws: `EvaluationError`, errors of opening data.
    public init(samples: String, against: String, heldOut: String?, metrics: [String], limit: Int) throws {
        for metric in metrics where !Self.metrics.contains(metric) {
            let hint = nearestName(to: metric, in: Self.metrics).map { "did you mean \"\($0)\"?" }
            throw EvaluationError(
                "there is no metric \"\(metric)\"; \(hint ?? "known are \(Self.metrics.joined(separator: ", "))")"
            )
        }
        let samples = try SampleSet.open(samples)
        let real = try Self.realData(against, heldOut: heldOut, count: samples.count)
        self.samples = samples
        self.reference = Subset(real.reference, limit: limit)
        self.heldOut = real.heldOut.map { Subset($0, limit: samples.count) }
        let wanted = metrics.isEmpty ? Self.metrics : metrics
        var network: FeatNet?
        if wanted.contains(where: Self.learned.contains) {
            let name = "samplers/weights/featnet-cifar10.safetensors"
            if let path = ProjectFiles.find(name) {
                network = try FeatNet(path: path)
            } else if metrics.isEmpty {
                warnings.append("\(name) was not found; only the metrics that need no weights are computed")
            } else {
                throw EvaluationError("\(name) was not found; set SFUMATO_HOME to the project's folder")
            }
        }
        self.network = network
        self.metrics = wanted
    }

    private static func realData(
        _ path: String, heldOut: String?, count: Int
    ) throws -> (reference: any ImageDataset, heldOut: (any ImageDataset)?) {
        if path.hasSuffix(".yaml") {
            let data = try TrainingConfiguration(file: path).data
            let base = PreparedDataset(base: try data.specification.open(), preparation: data.preparation)
            let (training, kept) = try HoldoutDataset.split(base, holdout: data.holdout)
            if kept != nil || heldOut == nil { return (training, try heldOut.map(SampleSet.open) ?? kept) }
            return (training, try heldOut.map(SampleSet.open))
        }
        let base = try SampleSet.open(path)
        if let heldOut { return (base, try SampleSet.open(heldOut)) }
        let (training, kept) = try HoldoutDataset.split(base, holdout: min(count, base.count / 2))
        return (training, kept)
    }

    /// How many images will be looked at.
    public var imageCount: Int { samples.count + reference.count + (heldOut?.count ?? 0) }

    /// - Parameter progress: called with the number of images measured since the last call.
    /// - Throws: `MetricError`, errors of reading images.
    public func report(progress: (Int) -> Void = { _ in }) throws -> EvaluationReport {
        try EvaluationReport(
            samples: measure(samples, progress), reference: measure(reference, progress),
            heldOut: heldOut.map { try measure($0, progress) })
    }

    private func measure(_ set: any ImageDataset, _ progress: (Int) -> Void) throws -> SampleSetMeasures {
        var measurer = SampleSetMeasurer(name: set.source, network: network)
        for first in stride(from: 0, to: set.count, by: 256) {
            let range = first..<min(first + 256, set.count)
            try measurer.add(try range.map { try set.image(at: $0).eightBit().converted(to: .rgb) })
            progress(range.count)
        }
        return try measurer.finish()
    }
}

/// An evaluation that cannot be made as asked.
public struct EvaluationError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// Evenly drawn images of a larger set.
private struct Subset: ImageDataset {
    let base: any ImageDataset
    let indices: [Int]

    init(_ base: any ImageDataset, limit: Int) {
        self.base = base
        let order = RandomStream(seed: 0).stream(named: "subset").permutation(count: base.count)
        indices = base.count <= limit ? Array(0..<base.count) : order.prefix(limit).sorted()
    }

    var source: String { base.source }
    var count: Int { indices.count }
    var classNames: [String] { base.classNames }
    func label(at index: Int) -> Int? { base.label(at: indices[index]) }
    func name(at index: Int) -> String { base.name(at: indices[index]) }
    func image(at index: Int) throws -> Image { try base.image(at: indices[index]) }
}

/// Images as the network sees them: brought to the training's size.
private struct PreparedDataset: ImageDataset {
    let base: any ImageDataset
    let preparation: ImagePreparation

    var source: String { base.source }
    var count: Int { base.count }
    var classNames: [String] { base.classNames }
    func label(at index: Int) -> Int? { base.label(at: index) }
    func name(at index: Int) -> String { base.name(at: index) }
    func image(at index: Int) throws -> Image {
        let image = try base.image(at: index)
        guard (image.width, image.height) != (preparation.width, preparation.height) else { return image }
        return preparation.fit == .stretch
            ? image.resized(width: preparation.width, height: preparation.height, filter: .lanczos)
            : image.admCenterCropped(width: preparation.width, height: preparation.height)
    }
}
