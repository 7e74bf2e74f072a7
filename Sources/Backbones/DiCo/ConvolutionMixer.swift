import Layers
import Tensors

/// DiCo's convolution module (arXiv 2505.11196, section 3): 1×1, depthwise 3×3, GELU, compact channel attention, 1×1.
///
/// `[N, H, W, C]` → `[N, H, W, C]`. Parameters `conv1`, `conv2` (depthwise), `ca.1`, `conv3`, each with bias, and
/// those of their kernels' form.
public struct ConvolutionMixer: SpatialMixer {
    let expand: Convolution
    let mix: Convolution
    let attention: Convolution
    let project: Convolution
    private let channels: Int
    private let box: (height: Int, width: Int)?

    /// - Parameters:
    ///   - kernel: how the applied weights of all convolutions come from the parameters.
    ///   - box: extent of the local mean that replaces the attention's global one on larger maps (TLC,
    ///     arXiv 2112.04491); nil for the global mean everywhere.
    public init(
        _ scope: Scope, channels: Int, kernel form: ConvolutionKernel = .standard,
        box: (height: Int, width: Int)? = nil
    ) {
        (self.channels, self.box) = (channels, box)
        expand = Convolution(scope / "conv1", channels, channels, kernel: 1, form: form)
        mix = Convolution(scope / "conv2", channels, channels, kernel: 3, groups: channels, form: form)
        project = Convolution(scope / "conv3", channels, channels, kernel: 1, form: form)
        attention = Convolution(scope / "ca.1", channels, channels, kernel: 1, form: form)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { self(x, tuning: nil) }

    public func callAsFunction(_ x: Tensor, tuning: Tensor?) -> Tensor {
        project(attend(mix(expand(x, tuning: tuning), tuning: tuning), tuning: tuning), tuning: tuning)
    }

    public func adding(
        to x: Tensor, normalizedBy norm: RowNormalization, gate: Tensor, tuning: Tensor?,
        feed: GatedFeedForward?
    ) -> Tensor {
        guard !x.exceeds(box), let depthwise = mix.depthwise(tuning: tuning),
            let attention = attention.channelAttention(isSigmoid: true, tuning: tuning),
            let weights = project.pointwise(tuning: tuning)
        else {
            return x.addingBranch(self(norm(x), tuning: tuning), gate: gate).addingFeedForward(feed)
        }
        return x.addingAttended(
            expand(x, normalizedBy: norm, tuning: tuning), depthwise: depthwise, activation: .gelu,
            attention: attention, project: weights, gate: gate, feed: feed)
    }

    /// GELU, then each channel rescaled by a gate computed from its mean.
    func attend(_ h: Tensor, tuning: Tensor? = nil) -> Tensor {
        let u = gelu(h)
        if let box, h.exceeds(box) {
            let means = u.localMean(kernelHeight: box.height, kernelWidth: box.width)
            return u * sigmoid(attention(means, tuning: tuning))
        }
        let (n, c) = (h.shape[0], channels)
        let means = u.spatialMean().reshaped([n, 1, 1, c])
        return u * sigmoid(attention(means, tuning: tuning)).reshaped([n, c])
    }

    /// The gate alone, from the activated features: `[N, H, W, C]` → `[N, C]`. For kernels that are not tunable.
    func gate(_ activated: Tensor) -> Tensor {
        sigmoid(
            activated.spatialMean().linear(
                attention.weight.reshaped([channels, channels]), bias: attention.bias))
    }
}
