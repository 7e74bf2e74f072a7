import Layers
import Recipes
import Tensors

/// A model of a few hundred numbers with healthy weights, for tests of what stands around a network.
enum TinyModel {
    static let yaml = "{inputChannels: 3, depth: [1, 0, 1, 0, 1], classCount: 3, patchSize: 1"

    /// - Parameters:
    ///   - objective: YAML of an objective.
    ///   - model: more settings of the model, as in `, classDropout: 0`.
    static func make(
        objective: String = "flow", model: String = "", size: Int = 8, hiddenSize: Int = 4,
        precision: ProductPrecision = .float32
    ) throws -> LoadedModel {
        let learnsVariance = objective.contains("ddpm") && !objective.contains("fixed")
        let text =
            "{model: \(yaml), hiddenSize: \(hiddenSize), learnSigma: \(learnsVariance)\(model)}, objective: \(objective), size: \(size), "
            + "classes: [ant, bee, cat]}"
        let configuration = try CheckpointConfiguration(json: text, name: "tiny")
        return try LoadedModel(
            path: "tiny", configuration: configuration, weights: weights(configuration), digest: "0123",
            precision: precision)
    }

    /// Normal numbers everywhere, so that nothing is zero as in a fresh model.
    static func weights(_ configuration: CheckpointConfiguration) -> [String: Tensor] {
        let stream = RandomStream(seed: 5)
        return Dictionary(
            uniqueKeysWithValues: configuration.model.parameterShapes.map { name, shape in
                let normals = stream.stream(named: name).normals(Shape(shape)).scalars
                return (name, Tensor(shape: Shape(shape), scalars: normals.map { 0.2 * $0 }))
            })
    }
}
