import Foundation
import Layers
import Tensors

/// The block-causal transformer of VAR and NFIG: every token of a level sees its own level and all coarser ones.
///
/// Parameter names are the published ones; what can be rebuilt (`VARCheckpoint`) is none of them.
public struct VAR: LevelPredictor {
    public let configuration: VARConfiguration
    private let startPositions: Tensor
    private let positions: Tensor
    private let word: Linear
    private let classes: Tensor
    private let levels: Tensor
    private let sharedModulation: Linear?
    private let blocks: [VARBlock]
    private let norm: VARHeadNorm
    private let head: Linear

    public init(_ scope: Scope, _ configuration: VARConfiguration) {
        self.configuration = configuration
        let width = configuration.width
        let sigma = (1 / Float(3 * width)).squareRoot()
        let initial = Initializer.normal(standardDeviation: sigma)
        word = Linear(scope / "word_embed", configuration.tokenChannels, width, weight: initial)
        classes = (scope / "class_emb").parameter("weight", [configuration.classCount + 1, width], initial)
        startPositions = scope.parameter("pos_start", [1, configuration.grids[0].count, width], initial)
        positions = scope.parameter("pos_1LC", [1, configuration.tokenCount, width], initial)
        levels = (scope / "lvl_embed").parameter("weight", [configuration.grids.count, width], initial)
        sharedModulation =
            configuration.sharesModulation
            ? Linear(
                scope / "shared_ada_lin.1", width, 6 * width,
                weight: .normalBlocks([1e-3, 1e-3, 0.5, 0.5, 0.5, 0.5].map { $0 * sigma })) : nil
        blocks = (0..<configuration.depth).map { VARBlock(scope / "blocks" / $0, configuration) }
        norm = VARHeadNorm(scope / "head_nm", width: width, conditionWidth: width)
        head = Linear(
            scope / "head", width, configuration.vocabulary, weight: .normal(standardDeviation: 0.02 * sigma))
    }

    /// Scores of all tokens at once, for training.
    /// - Parameters:
    ///   - inputs: what the levels before add up to, at the size of levels 2, 3, …, one after the other
    ///     `[N, L − h₁w₁, C]`; nil when there is one level only.
    ///   - labels: nil for the unconditional prediction of that row.
    /// - Returns: `[N, L, K]`.
    public func callAsFunction(_ inputs: Tensor?, labels: [Int?]) -> Tensor {
        let condition = embed(labels)
        let first = start(condition)
        let x = inputs.map { .concatenateTokens([first, word($0)]) } ?? first
        let modulation = sharedModulation.map { $0(silu(condition)) } ?? condition
        let visible = configuration.visibleTokens
        let h = blocks.reduce(placed(x, from: 0)) { $1($0, condition: modulation, visibleTokens: visible) }
        return head(norm(h, condition: condition))
    }

    /// Mean over the batch of the mean cross-entropy of all tokens, which weigh the same.
    /// - Parameters:
    ///   - indices: the codes of each image, L per row.
    ///   - smoothing: share of the target spread over all codes.
    public static func loss(_ logits: Tensor, indices: [[Int]], smoothing: Float = 0) -> Tensor {
        logits.crossEntropy(indices.flatMap { $0 }, smoothing: smoothing).mean()
    }

    public func begin(labels: [Int?]) -> any LevelPrediction { VARPrediction(self, labels: labels) }

    /// Class rows, the last meaning "no class".
    fileprivate func embed(_ labels: [Int?]) -> Tensor {
        classes.gatheringRows(labels.map { $0 ?? configuration.classCount })
    }

    /// The tokens of the first level: the class at every position.
    fileprivate func start(_ condition: Tensor) -> Tensor {
        let (count, width) = (condition.shape[0], condition.shape[1])
        let length = configuration.grids[0].count
        let copies = Tensor.concatenateChannels(Array(repeating: condition, count: length))
        return (copies + startPositions.reshaped([length * width])).reshaped([count, length, width])
    }

    /// Tokens from place `start` of the sequence on, plus their level and position.
    fileprivate func placed(_ x: Tensor, from start: Int) -> Tensor {
        let (count, length, width) = (x.shape[0], x.shape[1], x.shape[2])
        let range = start..<start + length
        let table = levels.gatheringRows(Array(configuration.levelOfToken[range]))
        let position = positions.tokens(range)
        let sum = table.reshaped([length * width]) + position.reshaped([length * width])
        return (x.reshaped([count, length * width]) + sum).reshaped(x.shape)
    }

    /// One level with the keys and values of those before.
    fileprivate func logits(level: Int, input: Tensor?, condition: Tensor, caches: inout [VARCache]) -> Tensor
    {
        let range = configuration.ranges[level]
        let tokens =
            input.map { word($0.reshaped([$0.shape[0], range.count, $0.shape.channels])) } ?? start(condition)
        let modulation = sharedModulation.map { $0(silu(condition)) } ?? condition
        var h = placed(tokens, from: range.lowerBound)
        for (index, block) in blocks.enumerated() {
            h = block(h, condition: modulation, cache: &caches[index])
        }
        return head(norm(h, condition: condition))
    }

    fileprivate var emptyCaches: [VARCache] { Array(repeating: VARCache(), count: blocks.count) }
}

/// A batch in the making: each level is computed once, with the keys and values of those before.
private final class VARPrediction: LevelPrediction {
    private let model: VAR
    private let condition: Tensor
    private var caches: [VARCache]

    init(_ model: VAR, labels: [Int?]) {
        self.model = model
        condition = model.embed(labels).detached
        caches = model.emptyCaches
    }

    func logits(level: Int, input: Tensor?) -> Tensor {
        model.logits(level: level, input: input, condition: condition, caches: &caches).detached
    }
}
