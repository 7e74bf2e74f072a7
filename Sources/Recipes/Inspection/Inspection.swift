import Archives
import Backbones
import Checkpoints
import Tensors

/// What a model is made of, what it costs, and how its filters look.
public struct Inspection: Sendable {
    /// A part of the network.
    public struct Stage: Sendable {
        public var name: String
        public var parameterCount: Int
        public var multiplyAccumulates: Int
        /// Of weights with more than one axis; nil where there is only a configuration.
        public var filters: FilterStatistics?
    }

    /// Numbers about the weights of a stage.
    public struct FilterStatistics: Sendable {
        public var rootMeanSquare: Double
        public var largest: Double
        /// Output filters, and how many of them are all but zero: below a thousandth of the stage's RMS.
        public var filterCount: Int
        public var deadCount: Int
    }

    /// What kind of network it is, with all that is known of it.
    public enum Subject: Sendable {
        case generator(CheckpointConfiguration)
        case denoiser(RestorationCheckpoint, sigmas: ClosedRange<Double>?)
        case autoencoder(AutoencoderCheckpoint)
        /// The autoencoder of a model of latents.
        case imageAutoencoder(KLAutoencoderCheckpoint)
    }

    public let source: String
    public let subject: Subject
    public let size: ImageSize
    public let stages: [Stage]
    /// Bytes of the weights as they are stored; nil for a configuration.
    public let fileBytes: Int?
    /// SHA-256 of the weights; nil for a configuration, and for files of other programs than this.
    public let digest: String?
    public let metadata: [String: String]

    /// - Parameters:
    ///   - path: a checkpoint, a run's folder, published weights of a denoiser, or a file of `configs/`.
    ///   - size: of the image that costs are counted for; nil for the training's.
    public init(path: String, size: ImageSize?, overrides: [SettingsOverride] = []) throws {
        if path.hasSuffix(".yaml") {
            let node = try SettingsNode(yamlFile: path).applying(overrides)
            try self.init(Contents(training: node), source: path, size: size)
        } else {
            try self.init(Contents(weights: path, overrides), source: path, size: size)
        }
    }

    private init(_ contents: Contents, source: String, size: ImageSize?) throws {
        self.source = source
        subject = contents.subject
        (fileBytes, digest, metadata) = (contents.fileBytes, contents.digest, contents.metadata)
        self.size = size ?? subject.usualSize
        let costs = try subject.costs(self.size, origin: source)
        var members: [String: [StoredTensor]] = [:]
        for tensor in contents.tensors {
            members[subject.stageName(of: tensor.name), default: []].append(tensor)
        }
        stages = costs.map { stage in
            Stage(
                name: stage.name, parameterCount: stage.parameterCount,
                multiplyAccumulates: stage.multiplyAccumulates,
                filters: FilterStatistics(members[stage.name] ?? []))
        }
    }

    public var parameterCount: Int { stages.reduce(0) { $0 + $1.parameterCount } }
    public var multiplyAccumulates: Int { stages.reduce(0) { $0 + $1.multiplyAccumulates } }
    /// Bytes of the weights in float32, as inference holds them.
    public var weightBytes: Int { parameterCount * 4 }
    /// Bytes that training holds beside activations: weights, average, two moments, gradient.
    public var trainingBytes: Int { parameterCount * 4 * 5 }
}

extension Inspection.FilterStatistics {
    /// Nil when there are no weights.
    init?(_ tensors: [StoredTensor]) {
        let weights = tensors.filter { $0.shape.count >= 2 && $0.elementCount > 0 }
        guard !weights.isEmpty else { return nil }
        var (squares, count, largest) = (0.0, 0, 0.0)
        var filters: [Double] = []
        for weight in weights {
            let values = weight.floats
            let size = values.count / weight.shape[0]
            for row in 0..<weight.shape[0] {
                var sum = 0.0
                for value in values[row * size..<(row + 1) * size] {
                    sum += Double(value) * Double(value)
                    largest = max(largest, abs(Double(value)))
                }
                squares += sum
                filters.append((sum / Double(size)).squareRoot())
            }
            count += values.count
        }
        let rms = (squares / Double(count)).squareRoot()
        self.init(
            rootMeanSquare: rms, largest: largest, filterCount: filters.count,
            deadCount: filters.count { $0 <= rms * 1e-3 })
    }
}
