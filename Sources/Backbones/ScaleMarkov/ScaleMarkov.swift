import Layers
import Tensors

/// NFIG on the shared convolutional backbone: each level's codes from the sum of the levels before, without a
/// sequence, a mask or a cache.
///
/// Parameters those of `LevelBackbone`, and `head`.
public struct ScaleMarkov: LevelPredictor {
    public let backbone: LevelBackbone
    private let head: Linear

    public init(_ scope: Scope, _ configuration: LevelBackboneConfiguration, vocabulary: Int) {
        backbone = LevelBackbone(scope, configuration)
        head = Linear(
            scope / "head", configuration.width, vocabulary, weight: .normal(standardDeviation: 0.002))
    }

    /// Scores `[N, h·w, K]` of a level.
    public func callAsFunction(_ input: Tensor?, level: Int, labels: [Int?]) -> Tensor {
        let grid = backbone.configuration.grids[level]
        let features = backbone(input, level: level, labels: labels)
        return head(features.reshaped([labels.count, grid.count, features.shape[3]]))
    }

    /// Mean cross-entropy of all tokens, every level a forward pass of its own.
    /// - Parameters:
    ///   - inputs: the sums of the levels before at each level's size, from the second on.
    ///   - indices: codes per level, sample after sample.
    public func loss(inputs: [Tensor], indices: [[Int]], labels: [Int?], smoothing: Float = 0) -> Tensor {
        var total = Tensor(0)
        for (level, codes) in indices.enumerated() {
            let logits = self(level == 0 ? nil : inputs[level - 1], level: level, labels: labels)
            total = total + logits.crossEntropy(codes, smoothing: smoothing).sum()
        }
        return total * (1 / Float(max(1, indices.map(\.count).reduce(0, +))))
    }

    public func begin(labels: [Int?]) -> any LevelPrediction { Prediction(model: self, labels: labels) }

    private final class Prediction: LevelPrediction {
        let model: ScaleMarkov
        let labels: [Int?]

        init(model: ScaleMarkov, labels: [Int?]) {
            self.model = model
            self.labels = labels
        }

        func logits(level: Int, input: Tensor?) -> Tensor {
            model(input, level: level, labels: labels).detached
        }
    }
}
