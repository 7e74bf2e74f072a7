import Layers
import Tensors

/// Images to latents: `[N, H, W, 3]` in −1…1 → `[N, H/r, W/r, C]`. Parameters `conv_in`, `down.L.…`, `mid.…`,
/// `norm_out`, `conv_out`.
public struct VQVAEEncoder: Sendable {
    private let input: Convolution
    private let levels: [VQVAELevel]
    private let downsamples: [VQVAEDownsample]
    private let middle: VQVAEMiddle
    private let norm: GroupNorm
    private let output: Convolution

    public init(_ scope: Scope, _ configuration: VQVAEConfiguration) {
        let widths = configuration.widths
        let last = widths.count - 1
        input = .plain(scope / "conv_in", configuration.imageChannels, configuration.width)
        levels = widths.indices.map { level in
            VQVAELevel(
                scope / "down" / level, level == 0 ? configuration.width : widths[level - 1], widths[level],
                count: configuration.residualBlocks,
                usesAttention: level == last && configuration.usesAttention)
        }
        downsamples = (0..<last).map {
            VQVAEDownsample(scope / "down" / $0 / "downsample", channels: widths[$0])
        }
        middle = VQVAEMiddle(
            scope / "mid", channels: widths[last], usesAttention: configuration.usesMiddleAttention)
        norm = GroupNorm(scope / "norm_out", channels: widths[last])
        output = .plain(scope / "conv_out", widths[last], configuration.latentChannels)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        var h = input(x)
        for (level, blocks) in levels.enumerated() {
            h = blocks(h)
            if level < downsamples.count { h = downsamples[level](h) }
        }
        return output(silu(norm(middle(h))))
    }
}

/// Latents to images: `[N, h, w, C]` → `[N, h·r, w·r, 3]`, not clamped. Parameters `conv_in`, `mid.…`,
/// `up.L.…` (the last L is the coarsest and runs first), `norm_out`, `conv_out`.
public struct VQVAEDecoder: Sendable {
    private let input: Convolution
    private let middle: VQVAEMiddle
    private let levels: [VQVAELevel]
    private let upsamples: [VQVAEUpsample]
    private let norm: GroupNorm
    private let output: Convolution

    public init(_ scope: Scope, _ configuration: VQVAEConfiguration) {
        let widths = configuration.widths
        let last = widths.count - 1
        input = .plain(scope / "conv_in", configuration.latentChannels, widths[last])
        middle = VQVAEMiddle(
            scope / "mid", channels: widths[last], usesAttention: configuration.usesMiddleAttention)
        levels = widths.indices.map { level in
            VQVAELevel(
                scope / "up" / level, widths[min(level + 1, last)], widths[level],
                count: configuration.residualBlocks + 1,
                usesAttention: level == last && configuration.usesAttention)
        }
        upsamples = (0..<last).map {
            VQVAEUpsample(scope / "up" / ($0 + 1) / "upsample", channels: widths[$0 + 1])
        }
        norm = GroupNorm(scope / "norm_out", channels: widths[0])
        output = .plain(scope / "conv_out", widths[0], configuration.imageChannels)
    }

    public func callAsFunction(_ z: Tensor) -> Tensor {
        var h = middle(input(z))
        for level in levels.indices.reversed() {
            h = levels[level](h)
            if level > 0 { h = upsamples[level - 1](h) }
        }
        return output(silu(norm(h)))
    }
}

/// The autoencoder around a quantiser: encoder and 3×3 before it, 3×3 and decoder behind it.
///
/// Parameters `encoder.…`, `quant_conv`, `post_quant_conv`, `decoder.…`; those of the quantiser are its own.
public struct VQVAE: Sendable {
    public let configuration: VQVAEConfiguration
    public let encoder: VQVAEEncoder
    public let decoder: VQVAEDecoder
    let before: Convolution
    let after: Convolution

    public init(_ scope: Scope, _ configuration: VQVAEConfiguration) {
        let channels = configuration.latentChannels
        self.configuration = configuration
        encoder = VQVAEEncoder(scope / "encoder", configuration)
        before = .plain(scope / "quant_conv", channels, channels)
        after = .plain(scope / "post_quant_conv", channels, channels)
        decoder = VQVAEDecoder(scope / "decoder", configuration)
    }

    /// Images in −1…1 to the latents that a quantiser approximates.
    public func encode(_ images: Tensor) -> Tensor {
        precondition(
            images.shape.rank == 4 && images.shape[1] % configuration.reduction == 0
                && images.shape[2] % configuration.reduction == 0,
            "an autoencoder that divides sizes by \(configuration.reduction) was given \(images.shape)")
        return before(encoder(images))
    }

    /// Quantised latents to images, not clamped.
    public func decode(_ latents: Tensor) -> Tensor { decoder(after(latents)) }
}
