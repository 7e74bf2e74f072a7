import Layers
import Tensors

extension Convolution {
    /// With the released autoencoder's first values.
    static func plain(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1, padding: Int? = nil
    ) -> Convolution {
        Convolution(
            scope, inputs, outputs, kernel: kernel, stride: stride, padding: padding,
            weight: .fanIn(inputs * kernel * kernel))
    }
}

/// GroupNorm → SiLU → 3×3 twice, plus the input, `[N, H, W, I]` → `[N, H, W, O]`: latent diffusion's block.
///
/// Parameters `norm1`, `conv1`, `norm2`, `conv2`, and `nin_shortcut` (1×1) when the widths differ.
public struct VQVAEResidualBlock: Sendable {
    private let block: KLBlock

    public init(_ scope: Scope, _ inputs: Int, _ outputs: Int) {
        block = KLBlock(scope, inputs, outputs, groups: 32, KLNames(.latentDiffusion))
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { block(x) }
}

/// Attention of every pixel to every other, one head, plus the input. Parameters `norm`, `qkv`, `proj_out` (1×1).
public struct VQVAEAttentionBlock: Sendable {
    let norm: GroupNorm
    let qkv: Convolution
    let project: Convolution

    public init(_ scope: Scope, channels: Int) {
        norm = GroupNorm(scope / "norm", channels: channels)
        qkv = .plain(scope / "qkv", channels, 3 * channels, kernel: 1)
        project = .plain(scope / "proj_out", channels, channels, kernel: 1)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let (n, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let parts = qkv(norm(x)).reshaped([n, h * w, 3 * c]).chunks(3)
        let y = parts[0].attending(to: parts[1], parts[2], heads: 1)
        return x + project(y.reshaped(x.shape))
    }
}

/// Halves the resolution: one zero row below, one zero column to the right, then 3×3 with stride 2.
///
/// `[N, H, W, C]` → `[N, ⌊H/2⌋, ⌊W/2⌋, C]`. Parameters `conv`.
public struct VQVAEDownsample: Sendable {
    let convolution: Convolution

    public init(_ scope: Scope, channels: Int) {
        convolution = .plain(scope / "conv", channels, channels, stride: 2, padding: 0)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { convolution(x.padded(bottom: 1, right: 1)) }
}

/// Doubles the resolution: each pixel becomes four, then 3×3. Parameters `conv`.
public struct VQVAEUpsample: Sendable {
    let convolution: Convolution

    public init(_ scope: Scope, channels: Int) { convolution = .plain(scope / "conv", channels, channels) }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let (h, w) = (x.shape[1], x.shape[2])
        return convolution(
            x.gatheringPixels(rows: (0..<2 * h).map { $0 / 2 }, columns: (0..<2 * w).map { $0 / 2 }))
    }
}

/// Residual block, attention, residual block, at the coarsest resolution. Parameters `block_1`, `attn_1`,
/// `block_2`.
struct VQVAEMiddle: Sendable {
    let first: VQVAEResidualBlock
    let attention: VQVAEAttentionBlock?
    let second: VQVAEResidualBlock

    init(_ scope: Scope, channels: Int, usesAttention: Bool) {
        first = VQVAEResidualBlock(scope / "block_1", channels, channels)
        attention = usesAttention ? VQVAEAttentionBlock(scope / "attn_1", channels: channels) : nil
        second = VQVAEResidualBlock(scope / "block_2", channels, channels)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let h = first(x)
        return second(attention?(h) ?? h)
    }
}

/// The blocks of one resolution, each followed by an attention where the configuration has them.
struct VQVAELevel: Sendable {
    let blocks: [VQVAEResidualBlock]
    let attentions: [VQVAEAttentionBlock]

    init(_ scope: Scope, _ inputs: Int, _ outputs: Int, count: Int, usesAttention: Bool) {
        blocks = (0..<count).map {
            VQVAEResidualBlock(scope / "block" / $0, $0 == 0 ? inputs : outputs, outputs)
        }
        attentions =
            usesAttention
            ? (0..<count).map { VQVAEAttentionBlock(scope / "attn" / $0, channels: outputs) } : []
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        blocks.indices.reduce(x) { h, index in
            let y = blocks[index](h)
            return attentions.isEmpty ? y : attentions[index](y)
        }
    }
}
