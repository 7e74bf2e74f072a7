import Checkpoints
import Layers
import Recipes
import Tensors

/// A LINA of some thousand numbers with healthy weights.
enum TinyLINA {
    static let network =
        "kind: lina, inputChannels: 3, height: 8, width: 12, patchSize: 4, conditionHeight: 1, conditionWidth: 2, "
        + "hiddenSize: 8, heads: 2, conditionDepth: 1, depth: 2, headDepth: 1, headSize: 8"

    static func make(
        objective: String = "flow", model: String = ", classCount: 3",
        weights change: (String) -> Float? = { _ in nil }
    ) throws -> LoadedModel {
        let classes = model.contains("classCount: 0") ? "[]" : "[ant, bee, cat]"
        let text =
            "{model: {\(network)\(model)}, objective: \(objective), size: 12x8, classes: \(classes)}"
        let configuration = try CheckpointConfiguration(json: text, name: "lina")
        var weights = TinyModel.weights(configuration)
        for (name, tensor) in weights {
            if let value = change(name) { weights[name] = Tensor(repeating: value, shape: tensor.shape) }
        }
        return try LoadedModel(
            path: "lina", configuration: configuration, weights: weights, digest: "89ab")
    }
}
