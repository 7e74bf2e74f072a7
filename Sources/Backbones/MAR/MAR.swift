import Layers
import Tensors

/// What a MAR is built from; the sizes of MAR-B where none are said.
public struct MARConfiguration: Codable, Hashable, Sendable {
    public var inputChannels = 16
    /// Tokens of the latent, `height / patchSize` by `width / patchSize`.
    public var height = 16
    public var width = 16
    public var patchSize = 1
    public var hiddenSize = 768
    public var heads = 12
    public var encoderDepth = 12
    public var decoderDepth = 12
    public var mlpRatio: Double = 4
    public var classCount = 1000
    /// Copies of the class vector in front of the tokens.
    public var bufferSize = 64
    public var headDepth = 6
    public var headSize = 1024

    public init() {}

    public var grid: TokenGrid { TokenGrid(height / patchSize, width / patchSize) }
}

/// MAR, masked autoregression with a diffusion loss in its first formulation (arXiv 2406.11838; LTH14/mar,
/// `models/mar.py`): an encoder over class buffer and known tokens in index order, a decoder over all.
///
/// Tokens are `[N, n, c·p²]` with (channel, row in patch, column in patch), column fastest. Parameter names are the
/// published ones.
public final class MAR: MaskedTokenPredictor {
    public let configuration: MARConfiguration
    private let classes: Tensor
    private let noClass: Tensor
    private let input: Linear
    private let inputNorm: ChannelNorm
    private let encoderPositions: Tensor
    private let encoder: [MARBlock]
    private let encoderNorm: ChannelNorm
    private let bridge: Linear
    private let mask: Tensor
    private let decoderPositions: Tensor
    private let decoder: [MARBlock]
    private let decoderNorm: ChannelNorm
    private let headPositions: Tensor
    public let diffusionHead: MARHead
    private let replayedHead: ReplayedTokenHead

    public init(_ scope: Scope, _ configuration: MARConfiguration) {
        self.configuration = configuration
        let (d, count) = (configuration.hiddenSize, configuration.grid.count)
        let all = count + configuration.bufferSize
        let token = configuration.inputChannels * configuration.patchSize * configuration.patchSize
        let small = Initializer.normal(standardDeviation: 0.02)
        func blocks(_ name: String, _ depth: Int) -> [MARBlock] {
            (0..<depth).map {
                MARBlock(
                    scope / name / $0, width: d, heads: configuration.heads, mlpRatio: configuration.mlpRatio)
            }
        }
        func norm(_ name: String) -> ChannelNorm {
            ChannelNorm(scope / name, channels: d, epsilon: MARBlock.epsilon)
        }
        classes = (scope / "class_emb").parameter("weight", [configuration.classCount, d], small)
        noClass = scope.parameter("fake_latent", [1, d], small)
        input = Linear(scope / "z_proj", token, d)
        inputNorm = norm("z_proj_ln")
        encoderPositions = scope.parameter("encoder_pos_embed_learned", [1, all, d], small)
        encoder = blocks("encoder_blocks", configuration.encoderDepth)
        encoderNorm = norm("encoder_norm")
        bridge = Linear(scope / "decoder_embed", d, d)
        mask = scope.parameter("mask_token", [1, 1, d], small)
        decoderPositions = scope.parameter("decoder_pos_embed_learned", [1, all, d], small)
        decoder = blocks("decoder_blocks", configuration.decoderDepth)
        decoderNorm = norm("decoder_norm")
        headPositions = scope.parameter("diffusion_pos_embed_learned", [1, count, d], small)
        diffusionHead = MARHead(
            scope / "diffloss.net", channels: token, outputs: 2 * token, conditionWidth: d,
            width: configuration.headSize, depth: configuration.headDepth)
        replayedHead = ReplayedTokenHead(diffusionHead)
    }

    public var tokenGrid: TokenGrid { configuration.grid }
    public var tokenWidth: Int {
        configuration.inputChannels * configuration.patchSize * configuration.patchSize
    }

    /// `[N, D]` for N classes; nil is "no class".
    public func condition(labels: [Int?]) -> Tensor {
        // The row of "no class" comes after the table's; the tape needs both as one table of rows.
        let (count, d) = (configuration.classCount, configuration.hiddenSize)
        let table = Tensor.concatenateChannels([
            classes.reshaped([1, count * d]), noClass,
        ]).reshaped([count + 1, d])
        return table.gatheringRows(labels.map { $0 ?? count })
    }

    /// `visible` may be in any order: known tokens enter in index order.
    public func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor {
        let (n, buffer) = (tokens.shape[0], configuration.bufferSize)
        let (count, d) = (tokenGrid.count, configuration.hiddenSize)
        let known = visible.map { $0.sorted() }
        // Every token gets its place first, then the unknown ones are left out.
        let front = condition.gatheringRows((0..<n * buffer).map { $0 / max(1, buffer) }).reshaped([
            n, buffer, d,
        ])
        let places = Array(0..<buffer)
        let kept = known.map { places + $0.map { $0 + buffer } }
        let all = Tensor.concatenateTokens([front, input(tokens)]).addingTable(
            encoderPositions.reshaped([buffer + count, d]))
        let layout = TokenLayout(prefix: buffer)
        let seen = encoder.reduce(inputNorm(all).gatheringTokens(kept)) { $1($0, layout: layout) }
        let masked = mask.reshaped([1, d]).gatheringRows(Array(repeating: 0, count: n * (buffer + count)))
            .reshaped([n, buffer + count, d])
        let x = masked.replacingTokens(kept, with: bridge(encoderNorm(seen)))
            .addingTable(decoderPositions.reshaped([buffer + count, d]))
        let y = decoderNorm(decoder.reduce(x) { $1($0, layout: layout) })
        return y.tokens(buffer..<buffer + count).addingTable(headPositions.reshaped([count, d]))
    }

    public func headCondition(_ features: Tensor) -> Tensor { diffusionHead.condition(features) }

    public func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        replayedHead(noisy, time: time, condition: condition)
    }

    /// `[N, H, W, c]` → `[N, n, c·p²]`.
    public static func tokens(of image: Tensor, patchSize p: Int) -> Tensor {
        let (n, h, w, c) = (image.shape[0], image.shape[1] / p, image.shape[2] / p, image.shape[3])
        return image.reshaped([n, h, p, w, p, c]).permuted([0, 1, 3, 5, 2, 4]).reshaped([n, h * w, c * p * p])
    }

    /// The inverse of `tokens(of:patchSize:)`.
    public static func image(of tokens: Tensor, grid: TokenGrid, patchSize p: Int) -> Tensor {
        let (n, h, w, c) = (tokens.shape[0], grid.height, grid.width, tokens.shape[2] / (p * p))
        return tokens.reshaped([n, h, w, c, p, p]).permuted([0, 1, 4, 2, 5, 3]).reshaped([n, h * p, w * p, c])
    }
}

/// A transformer block that normalises each branch's input. Parameters `norm1`, `attn.{qkv, proj}`, `norm2`,
/// `mlp.{fc1, fc2}`.
struct MARBlock: Sendable {
    static let epsilon: Float = 1e-6

    private let norm1: ChannelNorm
    private let attention: SoftmaxAttention
    private let norm2: ChannelNorm
    private let widen: Linear
    private let narrow: Linear

    init(_ scope: Scope, width: Int, heads: Int, mlpRatio: Double) {
        norm1 = ChannelNorm(scope / "norm1", channels: width, epsilon: Self.epsilon)
        attention = SoftmaxAttention(scope / "attn", width: width, heads: heads)
        norm2 = ChannelNorm(scope / "norm2", channels: width, epsilon: Self.epsilon)
        let hidden = Int(mlpRatio * Double(width))
        widen = Linear(scope / "mlp.fc1", width, hidden)
        narrow = Linear(scope / "mlp.fc2", hidden, width)
    }

    func callAsFunction(_ x: Tensor, layout: TokenLayout) -> Tensor {
        let y = x + attention(norm1(x), layout: layout, rotation: nil)
        return y + narrow(gelu(widen(norm2(y))))
    }
}
