import Archives
import Checkpoints
import Tensors

/// Rewrites published weights of a denoiser as a checkpoint that describes itself.
public struct RestorationConversion: Sendable {
    public let model: DenoisingModel

    /// - Parameter source: safetensors, `.pth` or `.mat`; its network is told by names and shapes.
    /// - Throws: as `DenoisingModel`; nothing is executed that stands in a file.
    public init(source: String) throws {
        model = try DenoisingModel(path: source)
        // What looks like a network may lack parts of it.
        _ = try model.makeRestorer(tuning: nil)
    }

    /// Whether the weights are a denoiser's.
    public static func recognizes(_ source: String) -> Bool { (try? DenoisingModel(path: source)) != nil }

    /// Writes the checkpoint; it appears whole or not at all.
    /// - Parameter type: how weights are stored: float32, float16 or bfloat16.
    public func write(to path: String, as type: StoredType) throws {
        let weights = model.parameters.sorted { $0.key < $1.key }.map {
            OutgoingTensor(StoredTensor(name: $0.key, $0.value).converted(to: type))
        }
        var objective: RestorationObjectiveSettings?
        if let sigmas = model.sigmas {
            objective = RestorationObjectiveSettings()
            objective?.noise = .gaussian(
                .init(sigma: LevelRange(sigmas.lowerBound, sigmas.upperBound)))
        }
        let config = RestorationCheckpoint(
            model: RestorationModelSettings(model.network), objective: objective)
        try Checkpoint.write(
            weights, config: config.node.json, metadata: ["source": splitPath(model.path).name], to: path)
    }
}
