import Backbones
import Checkpoints
import Images
import Layers
import Tensors

/// What latents have to be decoded as: which autoencoder made them, and how they were scaled.
public struct AutoencoderIdentity: Settings, Hashable {
    /// SHA-256 of the weights.
    public var digest = ""
    public var latentChannels = 4
    /// How many image pixels on a side make one latent pixel.
    public var stride = 8
    public var scale = 1.0
    public var shift = 0.0

    public static let defaults = AutoencoderIdentity()
}

/// An autoencoder of images, ready to encode and decode.
///
/// An image is computed on one thread alone, so its bytes depend on nothing beside it.
public struct LoadedKLAutoencoder: Sendable {
    /// As the user named it.
    public let path: String
    public let configuration: KLAutoencoderConfiguration
    public let identity: AutoencoderIdentity
    private let model: KLAutoencoder

    /// - Parameter path: a checkpoint that `sfumato convert` wrote.
    /// - Throws: `FileError`, `CheckpointFileError` when there is no such autoencoder; `SettingsError` for a damaged
    ///   configuration.
    public init(path: String) throws {
        let checkpoint: Checkpoint
        do { checkpoint = try Checkpoint(path: path) } catch let error as CheckpointFileError {
            // Weights of another format would be called damaged.
            guard (try? WeightsFile.read(path: path)) != nil else { throw error }
            throw Self.unconverted(path)
        }
        guard let config = checkpoint.config, KLAutoencoderCheckpoint.describes(config) else {
            throw Self.unconverted(path)
        }
        configuration = try KLAutoencoderCheckpoint(json: config.text, name: "\(path): config").model
            .configuration
        let weights = Dictionary(checkpoint.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
        let store = ParameterStore(.loaded(weights), isTracked: false)
        model = KLAutoencoder(store.scope, configuration)
        do { try store.validate() } catch let error as ParameterMismatch {
            throw CheckpointFileError(
                file: path, problem: "does not fit the autoencoder it describes: \(error)")
        }
        self.path = path
        identity = AutoencoderIdentity(
            digest: checkpoint.digest, latentChannels: configuration.latentChannels,
            stride: configuration.stride, scale: configuration.scale, shift: configuration.shift)
    }

    private static func unconverted(_ path: String) -> CheckpointFileError {
        CheckpointFileError(
            file: path,
            problem: "is no autoencoder of images; rewrite its published weights with sfumato convert and "
                + "--architecture " + KLAutoencoderConversion.architectures.joined(separator: ", "))
    }

    /// Mean and deviation of an image's latents `[1, h, w, c]`, as a generator sees them.
    /// - Parameter image: `[1, H, W, C]` in −1…1.
    func encode(_ image: Tensor) -> (mean: Tensor, deviation: Tensor) {
        let posterior = model.encode(image)
        return (model.scaled(posterior.mean), posterior.deviation * Float(configuration.scale))
    }

    /// Images `[N, H, W, C]`, nominally in −1…1, of a generator's latents `[N, h, w, c]`.
    public func images(of latents: Tensor) -> Tensor {
        let (count, stride) = (latents.shape[0], configuration.stride)
        let size = ImageSize(width: latents.shape[2] * stride, height: latents.shape[1] * stride)
        let images = SlotList<Tensor>(count)
        forEach(count, size: size) { index in
            images[index] = model.decode(model.unscaled(latents.samples(index..<index + 1)))
        }
        return .concatenateSamples(images.values)
    }
}
