import Layers
import Tensors

/// PyTorch's default for convolutions: U(−1/√fanIn, 1/√fanIn).
func kaimingUniform(fanIn: Int) -> Initializer {
    let bound = 1 / Float(fanIn).squareRoot()
    return .uniform(low: -bound, high: bound)
}

extension Convolution {
    /// With the released autoencoder's first values.
    static func plain(_ scope: Scope, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: Int = 1)
        -> Convolution
    {
        Convolution(
            scope, inputs, outputs, kernel: kernel, stride: stride,
            weight: kaimingUniform(fanIn: inputs * kernel * kernel))
    }
}

/// GroupNorm → SiLU → 3×3 twice, plus the input, `[N, H, W, I]` → `[N, H, W, O]`.
///
/// Parameters `norm1`, `conv1`, `norm2`, `conv2`, and `nin_shortcut` (1×1) when the widths differ.
public struct VQVAEResidualBlock: Sendable {
    let norm1: GroupNorm
    let conv1: Convolution
    let norm2: GroupNorm
    let conv2: Convolution
    let shortcut: Convolution?

    public init(_ scope: Scope, _ inputs: Int, _ outputs: Int) {
        norm1 = GroupNorm(scope / "norm1", channels: inputs)
        conv1 = .plain(scope / "conv1", inputs, outputs)
        norm2 = GroupNorm(scope / "norm2", channels: outputs)
        conv2 = .plain(scope / "conv2", outputs, outputs)
        shortcut = inputs == outputs ? nil : .plain(scope / "nin_shortcut", inputs, outputs, kernel: 1)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let h = conv2(silu(norm2(conv1(silu(norm1(x))))))
        return (shortcut?(x) ?? x) + h
    }
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
    let weight: Tensor
    let bias: Tensor

    public init(_ scope: Scope, channels: Int) {
        weight = (scope / "conv").parameter(
            "weight", [channels, channels, 3, 3], kaimingUniform(fanIn: 9 * channels))
        bias = (scope / "conv").parameter("bias", [channels], .zeros)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.padded(bottom: 1, right: 1).convolved(with: weight, bias: bias, stride: 2)
    }
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

/// Residual block, attention, residual block, at the coarsest resolution. Parameters `block_1`, `attn_1`, `block_2`.
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
