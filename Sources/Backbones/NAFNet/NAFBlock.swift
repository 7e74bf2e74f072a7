import Layers
import Tensors

/// NAFNet's block (arXiv 2204.04676, figure 3c): a depthwise convolution between pointwise ones, gated and rescaled by
/// channel attention, then a gated feed-forward. No activation function.
///
/// `[N, H, W, C]` → the same. Parameters `norm1/2`, `conv1…5`, `sca.1`, `beta`, `gamma` `[1, C, 1, 1]`. With a tunable
/// kernel the names are the tunable network's: `sca`, `beta.data`, `gamma.data`, norms of shape `[1, C, 1, 1]`.
public struct NAFBlock: Sendable {
    static let epsilon: Float = 1e-6

    private let norm1: ChannelNorm
    private let expand: Convolution
    private let mix: Convolution
    private let attention: Convolution
    private let project: Convolution
    private let beta: ChannelScale
    private let norm2: ChannelNorm
    private let feedForward: FeedForward
    private let gamma: ChannelScale
    private let recomputation: Recomputation

    public init(
        _ scope: Scope, channels c: Int, mixerExpansion: Int = 2, feedForwardExpansion: Int = 2,
        kernel form: ConvolutionKernel = .standard
    ) {
        let isTunable = form.kind == .tunable
        let (mixed, fed) = (c * mixerExpansion, c * feedForwardExpansion)
        func convolution(_ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 1, groups: Int = 1)
            -> Convolution
        {
            Convolution(
                scope / name, inputs, outputs, kernel: kernel, groups: groups, form: form,
                weight: .fanIn(inputs / groups * kernel * kernel),
                bias: .fanIn(inputs / groups * kernel * kernel))
        }
        let normShape: Shape? = isTunable ? [1, c, 1, 1] : nil
        norm1 = ChannelNorm(scope / "norm1", channels: c, epsilon: Self.epsilon, shape: normShape)
        expand = convolution("conv1", c, mixed)
        mix = convolution("conv2", mixed, mixed, kernel: 3, groups: mixed)
        attention = convolution(isTunable ? "sca" : "sca.1", mixed / 2, mixed / 2)
        project = convolution("conv3", mixed / 2, c)
        beta = ChannelScale(scope, "beta", channels: c, form)
        norm2 = ChannelNorm(scope / "norm2", channels: c, epsilon: Self.epsilon, shape: normShape)
        feedForward = FeedForward(
            widen: convolution("conv4", c, fed), activation: .simpleGate,
            narrow: convolution("conv5", fed / 2, c))
        gamma = ChannelScale(scope, "gamma", channels: c, form)
        recomputation = Recomputation(scope)
    }

    /// - Parameters:
    ///   - tuning: the user's parameters of a tunable kernel.
    ///   - box: extent of the local mean that replaces the global one.
    public func callAsFunction(_ x: Tensor, tuning: Tensor? = nil, box: (height: Int, width: Int)? = nil)
        -> Tensor
    {
        recomputation([x] + (tuning.map { [$0] } ?? [])) { inputs in
            result(inputs[0], tuning == nil ? nil : inputs.last, box)
        }
    }

    private func result(_ x: Tensor, _ tuning: Tensor?, _ box: (height: Int, width: Int)?) -> Tensor {
        let gate = gamma.factors(tuning)
        let feed = feedForward.layers(normalizedBy: norm2.rows, gate: gate, tuning: tuning)
        let y = mixed(x, tuning: tuning, box: box, feed: feed)
        if feed != nil { return y }
        return feedForward.adding(to: y, normalizedBy: norm2.rows, gate: gate, tuning: tuning)
    }

    /// The first half of the block, and the second where it is given.
    private func mixed(
        _ x: Tensor, tuning: Tensor?, box: (height: Int, width: Int)?, feed: GatedFeedForward?
    ) -> Tensor {
        let (h, gate) = (expand(x, normalizedBy: norm1.rows, tuning: tuning), beta.factors(tuning))
        guard !h.exceeds(box), let depthwise = mix.depthwise(tuning: tuning),
            let attention = attention.channelAttention(isSigmoid: false, tuning: tuning),
            let weights = project.pointwise(tuning: tuning)
        else {
            let gated = mix(h, tuning: tuning, activation: .simpleGate)
            let branch = project(attended(gated, tuning: tuning, box: box), tuning: tuning)
            return x.addingBranch(branch, gate: gate).addingFeedForward(feed)
        }
        return x.addingAttended(
            h, depthwise: depthwise, activation: .simpleGate, attention: attention, project: weights,
            gate: gate, feed: feed)
    }

    /// Simplified channel attention: each channel times an affine function of all channels' means.
    private func attended(_ h: Tensor, tuning: Tensor?, box: (height: Int, width: Int)?) -> Tensor {
        if let box, h.exceeds(box) {
            return h
                * attention(h.localMean(kernelHeight: box.height, kernelWidth: box.width), tuning: tuning)
        }
        let (n, c) = (h.shape[0], h.shape[3])
        let means = h.spatialMean().reshaped([n, 1, 1, c])
        return h * attention(means, tuning: tuning).reshaped([n, c])
    }
}

/// A learned factor per channel on a residual branch, zero in a fresh model.
private enum ChannelScale: Sendable {
    case fixed(Tensor)
    case tunable(TunableParameter)

    init(_ scope: Scope, _ name: String, channels: Int, _ kernel: ConvolutionKernel) {
        if case .tunable(let mixing) = kernel {
            self = .tunable(TunableParameter(scope / name, channels: channels, mixing: mixing, .zeros))
        } else {
            self = .fixed(scope.parameter(name, [1, channels, 1, 1], .zeros))
        }
    }

    /// `[C]`, or `[N, C]` where each sample is tuned by itself.
    func factors(_ tuning: Tensor?) -> Tensor {
        switch self {
        case .fixed(let scale): return scale.reshaped([scale.elementCount])
        case .tunable(let parameter):
            guard let tuning else { preconditionFailure("a tunable block needs its tuning parameters") }
            let scale = parameter(tuning)
            return scale.shape[0] == 1 ? scale.reshaped([scale.elementCount]) : scale
        }
    }
}
