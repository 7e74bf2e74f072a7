import Archives
import Backbones
import Checkpoints
import Layers
import Tensors

/// A restoration network with its weights, of this project or published elsewhere.
public struct DenoisingModel: Sendable {
    /// As the user named it.
    public let path: String
    public let network: RestorationNetwork
    /// Noise levels it was trained for, on the 0–255 scale; nil when nothing says so.
    public let sigmas: ClosedRange<Double>?
    public let parameterCount: Int
    let parameters: [String: Tensor]

    /// - Parameters:
    ///   - path: a checkpoint, a run's folder, or published weights: safetensors, `.pth`, `.mat`.
    ///   - localMeans: side of the crops a NAFNet or DiCo was trained on, to replace its global means by local ones of
    ///     that reach (TLC, arXiv 2112.04491).
    /// - Throws: `FileError`, `CheckpointFileError` when the file is unreadable or belongs to no restoration network.
    public init(path: String, localMeans: Int? = nil) throws {
        let stored = try DenoiserWeights(path: path)
        let weights =
            stored.checkpoint?.weights
            ?? Dictionary(stored.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
        for (name, tensor) in weights.sorted(by: { $0.key < $1.key })
        where !tensor.withScalars({ $0.allSatisfy(\.isFinite) }) {
            throw CheckpointFileError(
                file: path, problem: "\(name) has values that are not finite; the weights are spoiled")
        }
        do {
            (network, parameters) = try Self.recognize(
                weights, stored.config, path: path, localMeans: localMeans)
        } catch let error
            as UnknownNetwork
        {
            throw CheckpointFileError(
                file: path,
                problem:
                    "belongs to no restoration network: \(error); give DnCNN, FFDNet, DRUNet, NAFNet or a DiCo trained as a denoiser"
            )
        }
        guard [1, 3].contains(network.imageChannels) else {
            throw CheckpointFileError(
                file: path,
                problem:
                    "takes images of \(network.imageChannels) channels; grey (1) and colour (3) are known")
        }
        self.path = path
        sigmas = Self.sigmas(stored.config) ?? network.publishedSigmas
        parameterCount = parameters.values.reduce(0) { $0 + $1.elementCount }
    }

    /// A network that is being trained.
    init(path: String, network: RestorationNetwork, parameters: [String: Tensor]) {
        (self.path, self.network, self.parameters, sigmas) = (path, network, parameters, nil)
        parameterCount = parameters.values.reduce(0) { $0 + $1.elementCount }
    }

    /// The network as it computes, for one setting of the user's parameters.
    /// - Throws: `DenoisingError` for parameters it does not have, `CheckpointFileError` when the weights do not fit.
    public func makeRestorer(tuning: [Float]?, precision: ProductPrecision = .float32) throws
        -> any ImageRestorer
    {
        let count = network.kernel.tuningCount
        if let tuning, tuning.count != count {
            throw DenoisingError(
                count == 0
                    ? "\(path): is not tunable, so it has no strength; leave out --set"
                    : "\(path): has \(count) tuning values, found \(tuning.count)")
        }
        let values = tuning ?? (count > 0 ? [1] + Array(repeating: 0, count: count - 1) : nil)
        do {
            return try network.makeInferenceRestorer(parameters, tuning: values, precision: precision)
        } catch let error as ParameterMismatch {
            throw CheckpointFileError(file: path, problem: "does not fit the network it looks like: \(error)")
        }
    }

    /// By what the file says of itself, or else by names and shapes.
    private static func recognize(
        _ weights: [String: Tensor], _ config: JSONValue?, path: String, localMeans: Int?
    ) throws -> (RestorationNetwork, [String: Tensor]) {
        var (network, parameters): (RestorationNetwork, [String: Tensor])
        if let config, config["model"] != nil {
            let name = "\(path): config"
            let node = try SettingsNode(yaml: config.text, name: name, hasLines: false)
            guard RestorationConfiguration.describes(node) else {
                throw UnknownNetwork("it says it is \(config["model"]?["kind"]?.string ?? "another")")
            }
            network = try RestorationCheckpoint(node).model.network
            parameters = weights
        } else {
            (network, parameters) = try RestorationNetwork.recognizing(weights)
        }
        guard let localMeans else { return (network, parameters) }
        switch network {
        case .nafnet(var configuration):
            configuration.localTrainingSize = [localMeans, localMeans]
            return (.nafnet(configuration), parameters)
        case .dico(var configuration) where configuration.mixer == .convolution:
            configuration.localTrainingSize = [localMeans, localMeans]
            return (.dico(configuration), parameters)
        default:
            throw DenoisingError(
                "--local-means is for NAFNet and the convolutional DiCo; other networks have no global means")
        }
    }

    /// What a file says of the noise it was trained with: `sigma` is a number or two.
    private static func sigmas(_ config: JSONValue?) -> ClosedRange<Double>? {
        guard let sigma = config?["sigma"] ?? config?["objective"]?["noise"]?["sigma"] else { return nil }
        if let value = sigma.number { return value...value }
        guard let values = sigma.numbers, values.count == 2, values[0] <= values[1] else { return nil }
        return values[0]...values[1]
    }
}

/// The tensors of a file that may be a denoiser's, and what it says of itself.
struct DenoiserWeights {
    let tensors: [StoredTensor]
    /// Nil for files of other formats than safetensors.
    let checkpoint: Checkpoint?

    var config: JSONValue? { checkpoint?.config }

    /// - Parameter path: a checkpoint, a run's folder (its result, or else its newest state), or published weights.
    init(path: String) throws {
        let exported = joinPath(path, "model.safetensors")
        let path = isFolder(path) && fileExists(exported) ? exported : path
        if try isFolder(path) || SafetensorsFile.isSafetensors(MappedFile(path: path).slice) {
            let checkpoint = try Checkpoint(path: path)
            (tensors, self.checkpoint) = (checkpoint.tensors, checkpoint)
        } else {
            (tensors, checkpoint) = (try WeightsFile.read(path: path), nil)
        }
    }
}

/// Images that cannot be denoised as asked: says which, why, and what to do.
public struct DenoisingError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
