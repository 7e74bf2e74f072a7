import Checkpoints
import Layers
import Tensors

/// The checkpoint of an autoencoder, with the network rebuilt around its weights.
public struct LoadedAutoencoder: Sendable {
    /// As the user named it: a file, or a run's folder.
    public let path: String
    public let configuration: FRVAEConfiguration
    public let model: FRVAE
    /// By published name.
    public let weights: [String: Tensor]

    /// - Throws: `FileError`, `CheckpointFileError` when there is no sound checkpoint of an autoencoder at `path`;
    ///   `SettingsError` for a damaged configuration.
    public init(path: String) throws {
        let checkpoint = try Checkpoint(path: path)
        guard let config = checkpoint.config, let kind = config["model"]?["kind"]?.string,
            AutoencoderModelSettings.Kind(rawValue: kind) != nil
        else {
            throw CheckpointFileError(
                file: path,
                problem: "is no autoencoder; train one, as in configs/cifar10-frvae.yaml, or convert one")
        }
        configuration = try AutoencoderCheckpoint(json: config.text, name: "\(path): config").model.frvae
        // A run's state holds the discriminator as well.
        let own = checkpoint.tensors.filter { !$0.name.hasPrefix(AutoencoderRun.discriminatorPrefix) }
        weights = Dictionary(own.map { ($0.name, $0.tensor) }) { first, _ in first }
        let store = ParameterStore(.loaded(weights), isTracked: false)
        model = try FRVAE(store.scope, configuration)
        do { try store.validate() } catch let error as ParameterMismatch {
            throw CheckpointFileError(file: path, problem: "does not fit the FR-VAE it describes: \(error)")
        }
        self.path = path
    }
}
