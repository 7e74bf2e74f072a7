import Tensors

/// Normalisation over the pixels and the channels of each group (arXiv 1803.08494). `[N, H, W, C]` → the same.
///
/// Parameters `weight`, `bias` `[C]`.
public struct GroupNorm: Sendable {
    private let weight: Tensor
    private let bias: Tensor
    private let epsilon: Float
    /// `[C, C]`: averages the channels of a group into each of them.
    private let average: Tensor

    public init(_ scope: Scope, channels: Int, groups: Int = 32, epsilon: Float) {
        precondition(channels % groups == 0, "\(channels) channels do not divide into \(groups) groups")
        weight = scope.parameter("weight", [channels], .ones)
        bias = scope.parameter("bias", [channels], .zeros)
        self.epsilon = epsilon
        let size = channels / groups
        average = Tensor(
            shape: [channels, channels],
            scalars: (0..<channels * channels).map {
                $0 / channels / size == $0 % channels / size ? 1 / Float(size) : 0
            })
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        // A group's variance is the mean of its channels' variances plus the variance of their means: two passes that
        // lose no digits, and vectors of one value per channel for the rest.
        let mean = x.spatialMean()
        let centred = x - mean
        let offset = mean - mean.linear(average)
        let variance = (centred.squared.spatialMean() + offset.squared).linear(average)
        let scale = (variance + epsilon).squareRoot.reciprocal * weight
        return centred * scale + (offset * scale + bias)
    }
}
