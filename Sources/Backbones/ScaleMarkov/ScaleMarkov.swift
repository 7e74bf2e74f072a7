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

/// Continuous tokens on the shared convolutional backbone: features of each token, and MAR's diffusion head
/// for its values.
///
/// A token is a cell of t×t places of the map. Parameters those of `LevelBackbone`, and `diffloss.net.…`.
public struct TokenBandModel: Sendable {
    public let backbone: LevelBackbone
    public let head: MARHead
    /// t
    public let cell: Int

    /// - Parameters:
    ///   - configuration: its grids are those of the maps that are drawn.
    ///   - channels: of those maps.
    public init(
        _ scope: Scope, _ configuration: LevelBackboneConfiguration, channels: Int, cell: Int = 2,
        headWidth: Int, headDepth: Int
    ) {
        self.cell = cell
        backbone = LevelBackbone(scope, configuration)
        let values = channels * cell * cell
        head = MARHead(
            scope / "diffloss.net", channels: values, outputs: 2 * values,
            conditionWidth: configuration.width * cell * cell, width: headWidth, depth: headDepth)
    }

    /// What the head is told of each token, `[N·(h/t)·(w/t), W]`, time not yet added.
    public func condition(_ input: Tensor?, level: Int, labels: [Int?]) -> Tensor {
        head.condition(rows(backbone(input, level: level, labels: labels)))
    }

    /// A map `[N, h, w, C]` as one row per token, `[N·(h/t)·(w/t), C·t²]`.
    public func rows(_ map: Tensor) -> Tensor {
        let cells = map.pixelUnshuffled(by: cell)
        return cells.reshaped([cells.shape.rows, cells.shape.channels])
    }

    /// The inverse of `rows`.
    public func map(_ rows: Tensor, images: Int, grid: Grid) -> Tensor {
        rows.reshaped([images, grid.height / cell, grid.width / cell, rows.shape[1]]).pixelShuffled(by: cell)
    }
}
