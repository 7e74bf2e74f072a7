import Layers
import Tensors

/// DiCo's convolution module (arXiv 2505.11196, section 3): 1×1, depthwise 3×3, GELU, compact channel attention, 1×1.
///
/// `[N, H, W, C]` → `[N, H, W, C]`. Parameters `conv1`, `conv2` (depthwise), `ca.1`, `conv3`, each with bias.
public struct ConvolutionMixer: SpatialMixer {
    let expand: Convolution
    let mix: Convolution
    let attention: Convolution
    let project: Convolution
    private let channels: Int

    public init(_ scope: Scope, channels: Int) {
        self.channels = channels
        expand = Convolution(scope / "conv1", channels, channels, kernel: 1)
        mix = Convolution(scope / "conv2", channels, channels, kernel: 3, groups: channels)
        project = Convolution(scope / "conv3", channels, channels, kernel: 1)
        attention = Convolution(scope / "ca.1", channels, channels, kernel: 1)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        project(attend(mix(expand(x))))
    }

    /// GELU, then each channel rescaled by a gate computed from its mean.
    func attend(_ h: Tensor) -> Tensor {
        h.geluChannelAttention(
            weight: attention.weight.reshaped([channels, channels]),
            bias: attention.bias ?? .zeros([channels]))
    }

    /// The gate alone, from the activated features: `[N, H, W, C]` → `[N, C]`.
    func gate(_ activated: Tensor) -> Tensor {
        sigmoid(
            activated.spatialMean().linear(
                attention.weight.reshaped([channels, channels]), bias: attention.bias))
    }
}
