import Tensors

/// Normalisation over the pixels and the channels of each group (arXiv 1803.08494). `[N, …, C]` → the same.
///
/// Parameters `weight`, `bias` `[C]`.
public struct GroupNorm: Sendable {
    private let groups: Int
    private let epsilon: Float
    private let weight: Tensor
    private let bias: Tensor

    /// - Parameter groups: a divisor of `channels`.
    public init(_ scope: Scope, channels: Int, groups: Int = 32, epsilon: Float = 1e-6) {
        precondition(channels % groups == 0, "\(channels) channels do not divide into \(groups) groups")
        self.groups = groups
        self.epsilon = epsilon
        weight = scope.parameter("weight", [channels], .ones)
        bias = scope.parameter("bias", [channels], .zeros)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.groupNorm(groups: groups, weight: weight, bias: bias, epsilon: epsilon)
    }
}
