/// What a checkpoint says of itself: everything a command needs beside the weights.
public struct CheckpointConfiguration: Settings, Hashable {
    public var model: ModelSettings
    public var objective = ObjectiveSettings.ddpm(DDPMSettings())
    /// What the network was trained on.
    public var size = ImageSize(32)
    /// Names of the classes in label order; empty where they have none.
    public var classes: [String] = []
    /// Of a model of latents: the autoencoder that they were made with.
    public var autoencoder: AutoencoderIdentity?
    /// How the training was set up.
    public var training: TrainingConfiguration?

    public static var defaults: CheckpointConfiguration { CheckpointConfiguration(model: .dico(.defaults)) }
    public static var requiredKeys: Set<String> { ["model"] }

    public func validate() throws {
        guard case .nextFrequency(let bands) = model else { return }
        try Self.require(
            bands.normalization != nil, "model.normalization",
            "given in a checkpoint: without the sizes of the bands nothing can be drawn")
    }
}
