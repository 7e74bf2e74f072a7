import Layers
import Tensors

/// LINA, masked autoregression with continuous tokens and linear attention (arXiv 2601.22630; techmonsterwang/LINA,
/// `transformer_nova_linear_decouple1_kvscale1.py`, a form of NOVA, arXiv 2412.14169).
///
/// A condition network turns label or text into tokens on a coarse grid; a masked encoder turns them and the known image
/// tokens into features; a small head turns features and noise into a token's velocity. Parameter names are the published
/// ones.
public final class LINA: MaskedTokenPredictor {
    public let configuration: LINAConfiguration
    private let conditionNetwork: MaskedEncoder
    private let encoder: MaskedEncoder
    private let tokenHead: ReplayedTokenHead
    private let masks: MaskTokens
    private let labels: LabelTokens?
    private let texts: TextTokens?
    private let frame: FrameEmbedding
    private let positions: Tensor
    private let conditionPositions: Tensor

    /// Takes every parameter from `scope`; the caller validates the store afterwards.
    public init(_ scope: Scope, _ configuration: LINAConfiguration) {
        self.configuration = configuration
        let (width, channels) = (configuration.hiddenSize, configuration.inputChannels)
        let (visible, whole) = configuration.mixers
        let half = configuration.depth / 2
        // The condition network's own patches serve video only; they are part of every checkpoint.
        conditionNetwork = MaskedEncoder(
            scope / "video_encoder",
            .init(
                channels: channels, patchSize: 2 * configuration.patchSize, width: width,
                mixers: Array(repeating: visible, count: configuration.conditionDepth), visibleDepth: 0))
        encoder = MaskedEncoder(
            scope / "image_encoder",
            .init(
                channels: channels, patchSize: configuration.patchSize, width: width,
                mixers: Array(repeating: visible, count: half)
                    + Array(repeating: whole, count: configuration.depth - half), visibleDepth: half))
        tokenHead = ReplayedTokenHead(configuration.makeHead(scope / "image_decoder"))
        masks = MaskTokens(scope / "mask_embed", width: width)
        labels =
            configuration.textSize == 0
            ? LabelTokens(scope / "label_embed", classCount: configuration.classCount, width: width) : nil
        texts =
            configuration.textSize > 0
            ? TextTokens(
                scope / "text_embed", textWidth: configuration.textSize, width: width,
                length: configuration.textLength)
            : nil
        frame = FrameEmbedding(scope / "video_pos_embed", width: width)
        positions = gridPositionTable(configuration.grid, width: width)
        conditionPositions = gridPositionTable(configuration.conditionGrid, width: width)
    }

    public var tokenGrid: TokenGrid { configuration.grid }
    public var tokenWidth: Int {
        configuration.patchSize * configuration.patchSize * configuration.inputChannels
    }

    /// Condition tokens `[N, P, D]` of N classes; nil is "no class".
    public func condition(labels values: [Int?]) -> Tensor {
        guard let labels else { preconditionFailure("a text-conditional LINA has no classes") }
        precondition(
            values.allSatisfy { $0.map { (0..<configuration.classCount).contains($0) } ?? true },
            "labels \(values) of \(configuration.classCount) classes")
        return condition(labels(values))
    }

    /// Condition tokens of N prompts, each embedded as `[L, textSize]`; nil is "no prompt".
    public func condition(prompts: [Tensor?]) -> Tensor {
        guard let texts else { preconditionFailure("a class-conditional LINA reads no prompts") }
        return condition(texts(prompts))
    }

    private func condition(_ leading: Tensor) -> Tensor {
        let (grid, width) = (configuration.conditionGrid, configuration.hiddenSize)
        let start =
            masks.beginnings(samples: leading.shape[0], count: grid.count) + frame([0]).reshaped([width])
        return conditionNetwork(start.addingTable(conditionPositions), condition: leading, grid: grid)
    }

    public func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor {
        let known = encoder.patch(tokens.gatheringTokens(visible))
        let x = masks(count: tokenGrid.count, visible: visible, known: known)
        return encoder(x.addingTable(positions), condition: condition, grid: tokenGrid, visible: visible)
    }

    public func headCondition(_ features: Tensor) -> Tensor { tokenHead.condition(features) }

    public func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        tokenHead(noisy, time: time, condition: condition)
    }
}
