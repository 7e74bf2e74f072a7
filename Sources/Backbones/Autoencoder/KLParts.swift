import Layers
import Tensors

/// The names of an autoencoder's parts in either scheme.
struct KLNames: Sendable {
    let isDiffusers: Bool

    init(_ naming: KLAutoencoderConfiguration.Naming) { isDiffusers = naming == .diffusers }

    func block(_ side: String, _ level: Int, _ index: Int) -> String {
        isDiffusers ? "\(side)_blocks.\(level).resnets.\(index)" : "\(side).\(level).block.\(index)"
    }
    func attention(_ level: Int, _ index: Int) -> String {
        isDiffusers ? "down_blocks.\(level).attentions.\(index)" : "down.\(level).attn.\(index)"
    }
    func resampling(_ side: String, _ level: Int) -> String {
        isDiffusers ? "\(side)_blocks.\(level).\(side)samplers.0.conv" : "\(side).\(level).\(side)sample.conv"
    }
    func middleBlock(_ index: Int) -> String {
        isDiffusers ? "mid_block.resnets.\(index)" : "mid.block_\(index + 1)"
    }
    var middleAttention: String { isDiffusers ? "mid_block.attentions.0" : "mid.attn_1" }
    var outputNorm: String { isDiffusers ? "conv_norm_out" : "norm_out" }
    var shortcut: String { isDiffusers ? "conv_shortcut" : "nin_shortcut" }
    var attentionNorm: String { isDiffusers ? "group_norm" : "norm" }
    var attentionParts: [String] {
        isDiffusers ? ["to_q", "to_k", "to_v", "to_out.0"] : ["q", "k", "v", "proj_out"]
    }
    /// Latent diffusion counts the decoder's levels from the full resolution.
    func decoderLevel(_ step: Int, of levels: Int) -> Int { isDiffusers ? step : levels - 1 - step }
}

/// Norm, SiLU, 3×3, twice, beside a 1×1 shortcut where the width changes.
struct KLBlock: Sendable {
    static let epsilon: Float = 1e-6

    private let norm1: GroupNorm
    private let conv1: Convolution
    private let norm2: GroupNorm
    private let conv2: Convolution
    private let shortcut: Convolution?

    init(_ scope: Scope, _ inputs: Int, _ outputs: Int, groups: Int, _ names: KLNames) {
        norm1 = GroupNorm(scope / "norm1", channels: inputs, groups: groups, epsilon: Self.epsilon)
        conv1 = Convolution(scope / "conv1", inputs, outputs, kernel: 3)
        norm2 = GroupNorm(scope / "norm2", channels: outputs, groups: groups, epsilon: Self.epsilon)
        conv2 = Convolution(scope / "conv2", outputs, outputs, kernel: 3)
        shortcut = inputs == outputs ? nil : Convolution(scope / names.shortcut, inputs, outputs, kernel: 1)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let h = conv2(silu(norm2(conv1(silu(norm1(x))))))
        return (shortcut?(x) ?? x) + h
    }
}

/// Attention with one head over all pixels, behind a norm, added to its input.
struct KLAttention: Sendable {
    private let norm: GroupNorm
    private let parts: [(weight: Tensor, bias: Tensor)]
    private let channels: Int

    init(_ scope: Scope, channels: Int, groups: Int, _ names: KLNames) {
        self.channels = channels
        norm = GroupNorm(
            scope / names.attentionNorm, channels: channels, groups: groups, epsilon: KLBlock.epsilon)
        // Linear layers in one scheme, 1×1 convolutions in the other.
        let shape: Shape = names.isDiffusers ? [channels, channels] : [channels, channels, 1, 1]
        parts = names.attentionParts.map { name in
            let part = scope / name
            return (
                part.parameter("weight", shape, .fanIn(channels)),
                part.parameter("bias", [channels], .fanIn(channels))
            )
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        func project(_ x: Tensor, _ part: Int) -> Tensor {
            x.linear(parts[part].weight.reshaped([channels, channels]), bias: parts[part].bias)
        }
        let h = norm(x).reshaped([x.shape[0], x.shape[1] * x.shape[2], channels])
        let mixed = project(h, 0).attending(to: project(h, 1), project(h, 2), heads: 1)
        return x + project(mixed, 3).reshaped(x.shape)
    }
}

/// The deepest part of encoder and decoder: block, attention, block.
struct KLMiddle: Sendable {
    private let first: KLBlock
    private let attention: KLAttention
    private let second: KLBlock

    init(_ scope: Scope, channels: Int, groups: Int, _ names: KLNames) {
        first = KLBlock(scope / names.middleBlock(0), channels, channels, groups: groups, names)
        attention = KLAttention(scope / names.middleAttention, channels: channels, groups: groups, names)
        second = KLBlock(scope / names.middleBlock(1), channels, channels, groups: groups, names)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { second(attention(first(x))) }
}

/// `[N, H, W, 3]` → `[N, H/s, W/s, 2c]`.
struct KLEncoder: Sendable {
    private struct Level: Sendable {
        var blocks: [KLBlock]
        var attentions: [KLAttention]
        var down: Convolution?
    }

    private let input: Convolution
    private let levels: [Level]
    private let middle: KLMiddle
    private let norm: GroupNorm
    private let output: Convolution

    init(_ scope: Scope, _ configuration: KLAutoencoderConfiguration) {
        let names = KLNames(configuration.naming)
        let (widths, groups) = (configuration.channels, configuration.groups)
        let deepest = widths[widths.count - 1]
        input = Convolution(scope / "conv_in", configuration.imageChannels, widths[0], kernel: 3)
        levels = widths.indices.map { level in
            let isLast = level == widths.count - 1
            let before = level > 0 ? widths[level - 1] : widths[0]
            return Level(
                blocks: (0..<configuration.blocksPerLevel).map { index in
                    KLBlock(
                        scope / names.block("down", level, index), index == 0 ? before : widths[level],
                        widths[level],
                        groups: groups, names)
                },
                attentions: (0..<(isLast && configuration.attendsInEncoder
                    ? configuration.blocksPerLevel : 0)).map {
                        KLAttention(
                            scope / names.attention(level, $0), channels: widths[level], groups: groups, names
                        )
                    },
                down: isLast
                    ? nil
                    : Convolution(
                        scope / names.resampling("down", level), widths[level], widths[level], kernel: 3,
                        stride: 2,
                        padding: 0))
        }
        middle = KLMiddle(scope, channels: deepest, groups: groups, names)
        norm = GroupNorm(
            scope / names.outputNorm, channels: deepest, groups: groups, epsilon: KLBlock.epsilon)
        output = Convolution(scope / "conv_out", deepest, 2 * configuration.latentChannels, kernel: 3)
    }

    func callAsFunction(_ image: Tensor) -> Tensor {
        var h = input(image)
        for level in levels {
            for (index, block) in level.blocks.enumerated() {
                h = block(h)
                if index < level.attentions.count { h = level.attentions[index](h) }
            }
            // Padding on the right and at the bottom only, as the published code has it.
            if let down = level.down { h = down(h.padded(bottom: 1, right: 1)) }
        }
        return output(silu(norm(middle(h))))
    }
}

/// `[N, h, w, c]` → `[N, h·s, w·s, 3]`.
struct KLDecoder: Sendable {
    private struct Level: Sendable {
        var blocks: [KLBlock]
        var up: Convolution?
    }

    private let input: Convolution
    private let middle: KLMiddle
    private let levels: [Level]
    private let norm: GroupNorm
    private let output: Convolution

    init(_ scope: Scope, _ configuration: KLAutoencoderConfiguration) {
        let names = KLNames(configuration.naming)
        let (widths, groups) = (Array(configuration.channels.reversed()), configuration.groups)
        input = Convolution(scope / "conv_in", configuration.latentChannels, widths[0], kernel: 3)
        middle = KLMiddle(scope, channels: widths[0], groups: groups, names)
        levels = widths.indices.map { step in
            let name = names.decoderLevel(step, of: widths.count)
            let before = step > 0 ? widths[step - 1] : widths[0]
            return Level(
                blocks: (0...configuration.blocksPerLevel).map { index in
                    KLBlock(
                        scope / names.block("up", name, index), index == 0 ? before : widths[step],
                        widths[step],
                        groups: groups, names)
                },
                up: step == widths.count - 1
                    ? nil
                    : Convolution(scope / names.resampling("up", name), widths[step], widths[step], kernel: 3)
            )
        }
        let last = widths[widths.count - 1]
        norm = GroupNorm(scope / names.outputNorm, channels: last, groups: groups, epsilon: KLBlock.epsilon)
        output = Convolution(scope / "conv_out", last, configuration.imageChannels, kernel: 3)
    }

    func callAsFunction(_ latent: Tensor) -> Tensor {
        var h = middle(input(latent))
        for level in levels {
            h = level.blocks.reduce(h) { $1($0) }
            guard let up = level.up else { continue }
            h = up(
                h.gatheringPixels(
                    rows: (0..<2 * h.shape[1]).map { $0 / 2 }, columns: (0..<2 * h.shape[2]).map { $0 / 2 }))
        }
        return output(silu(norm(h)))
    }
}
