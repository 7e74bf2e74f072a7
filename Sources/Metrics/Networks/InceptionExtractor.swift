import Archives
import Checkpoints
import Tensors

/// The FID network with the weights of a user's file and a way to feed it: what makes FID, sFID, KID and IS.
public struct InceptionExtractor: Sendable {
    public let mode: InceptionMode
    /// Identifies the weights, whatever file they came in.
    public let digest: String
    /// `[1, 299, 299, 3]` → the pooled and the spatial features, recorded once.
    private let network: ReplayedFunction
    private let head: Matrix

    /// - Parameter path: `pt_inception-2015-12-05-6726825d.pth` as it was published, or safetensors with its names.
    /// - Throws: errors of reading the file; `CheckpointFileError` when a tensor is missing or misshapen.
    public init(path: String, mode: InceptionMode) throws {
        try self.init(WeightSource(try WeightsFile.read(path: path), file: path), mode: mode)
    }

    public init(_ source: WeightSource, mode: InceptionMode) throws {
        let recorder = WeightDigest(source)
        let inception = try InceptionNetwork(recorder.source)
        network = ReplayedFunction { images in
            let features = inception.features(images[0])
            return [features.pooled, features.spatial].compactMap { $0 }
        }
        let (rows, columns) = (InceptionNetwork.outputs, InceptionNetwork.dimensions)
        head = Matrix(rows: rows, columns: columns, floats: try source("fc.weight", [rows, columns]))
        digest = recorder.hexadecimal
        self.mode = mode
    }

    /// What results are labelled with.
    public var label: String { "Inception-v3 2015-12-05, \(mode.rawValue)" }

    /// Features of images in order, one image per thread: no feature depends on another image.
    /// - Parameter includesSpatial: also those of sFID.
    /// - Throws: `MetricError` for images without three channels.
    public func features(of images: [PixelGrid], includesSpatial: Bool) throws -> InceptionFeatures {
        if let image = images.first(where: { $0.channels != 3 }) {
            throw MetricError("the FID network needs RGB images, not \(image.channels) channel(s).")
        }
        let rows = ComputeThreads.concurrentMap(images.count) { network([mode.input(images[$0])]) }
        return InceptionFeatures(
            count: images.count, pooled: rows.flatMap { $0[0].scalars },
            spatial: includesSpatial ? rows.flatMap { $0[1].scalars } : nil)
    }

    /// Logits without bias, as published Inception Scores use them, `[N, 1008]`.
    public func unbiasedLogits(_ features: Matrix) -> Matrix {
        LinearAlgebra.product(features, head, transposingSecond: true)
    }
}

/// What the FID network says of some images.
public struct InceptionFeatures: Sendable, Equatable {
    public static let spatialDimensions = 2023

    public let count: Int
    /// `[N, 2048]`.
    public let pooled: [Float]
    /// `[N, 2023]`.
    public let spatial: [Float]?

    public init(count: Int, pooled: [Float], spatial: [Float]?) {
        (self.count, self.pooled, self.spatial) = (count, pooled, spatial)
    }
}

/// Statistics, and where metrics need them rows, of the FID network's features of one set.
public struct InceptionMeasures: Sendable {
    public var mode: String
    public var digest: String
    public var statistics: FeatureStatistics
    public var spatial: FeatureStatistics?
    /// `[N, 2048]`, for KID and neighbours.
    public var features: Matrix?
    /// Without bias, `[N, 1008]`, for IS.
    public var logits: Matrix?

    public init(
        mode: String, digest: String, statistics: FeatureStatistics, spatial: FeatureStatistics? = nil,
        features: Matrix? = nil, logits: Matrix? = nil
    ) {
        (self.mode, self.digest, self.statistics, self.spatial) = (mode, digest, statistics, spatial)
        (self.features, self.logits) = (features, logits)
    }
}

/// Gathers `InceptionMeasures` from features in order; without rows kept, in memory that does not grow.
public struct InceptionMeasurer: Sendable {
    private let extractor: InceptionExtractor
    private let keepsRows: Bool
    private let keepsLogits: Bool
    private var statistics = StatisticsAccumulator(dimensions: InceptionNetwork.dimensions)
    private var spatial: StatisticsAccumulator?
    private var rows: [Double] = []
    private var logits: [Double] = []

    public init(_ extractor: InceptionExtractor, needs: MeasurementNeeds) {
        self.extractor = extractor
        keepsRows = needs.contains(.inceptionRows)
        keepsLogits = needs.contains(.inceptionLogits)
        if needs.contains(.inceptionSpatial) {
            spatial = StatisticsAccumulator(dimensions: InceptionFeatures.spatialDimensions)
        }
    }

    public mutating func add(_ features: InceptionFeatures) {
        let matrix = Matrix(
            rows: features.count, columns: InceptionNetwork.dimensions, floats: features.pooled)
        statistics.add(matrix)
        if let values = features.spatial {
            spatial?.add(
                Matrix(rows: features.count, columns: InceptionFeatures.spatialDimensions, floats: values))
        }
        if keepsRows { rows += matrix.values }
        if keepsLogits { logits += extractor.unbiasedLogits(matrix).values }
    }

    /// - Throws: `MetricError` for fewer than two images or features that are not finite.
    public func finish(name: String) throws -> InceptionMeasures {
        let count = statistics.count
        return InceptionMeasures(
            mode: extractor.mode.rawValue, digest: extractor.digest,
            statistics: try statistics.statistics(name: name),
            spatial: try spatial?.statistics(name: name),
            features: keepsRows
                ? Matrix(rows: count, columns: InceptionNetwork.dimensions, values: rows) : nil,
            logits: keepsLogits
                ? Matrix(rows: count, columns: InceptionNetwork.outputs, values: logits) : nil)
    }
}
