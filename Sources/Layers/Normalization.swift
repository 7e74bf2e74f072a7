import Tensors

/// Batch normalisation of channels. `[N, H, W, C]` → the same.
///
/// Parameters `weight`, `bias`; buffers `running_mean`, `running_var` `[C]`, `num_batches_tracked` `[]`.
public struct BatchNorm: Sendable {
    public let weight: Tensor
    public let bias: Tensor
    public let runningMean: Tensor
    public let runningVariance: Tensor
    let batchCount: Tensor
    let epsilon: Float
    let momentum: Float

    /// - Parameter momentum: the share of the batch in the running statistics (PyTorch's sense).
    public init(
        _ scope: Scope, channels: Int, epsilon: Float = 1e-5, momentum: Float = 0.1,
        weight initializer: Initializer = .ones
    ) {
        weight = scope.parameter("weight", [channels], initializer)
        bias = scope.parameter("bias", [channels], .zeros)
        runningMean = scope.buffer("running_mean", [channels], .zeros)
        runningVariance = scope.buffer("running_var", [channels], .ones)
        batchCount = scope.buffer("num_batches_tracked", [], .zeros, isOptional: true)
        self.epsilon = epsilon
        self.momentum = momentum
    }

    /// - Parameter isTraining: normalise by the batch's own mean and biased variance, and move the running
    ///   statistics towards its mean and unbiased variance, in place. Otherwise normalise by the running ones.
    public func callAsFunction(_ x: Tensor, isTraining: Bool) -> Tensor {
        guard isTraining else {
            return x.batchNorm(
                weight: weight, bias: bias, mean: runningMean, variance: runningVariance, epsilon: epsilon,
                areOwn: false)
        }
        let own = x.detached.channelStatistics()
        let unbiased = own.variance * (Float(own.count) / Float(max(1, own.count - 1)))
        runningMean.assign(runningMean * (1 - momentum) + own.mean * momentum)
        runningVariance.assign(runningVariance * (1 - momentum) + unbiased * momentum)
        batchCount.assign(batchCount + 1)
        return x.batchNorm(
            weight: weight, bias: bias, mean: own.mean, variance: own.variance, epsilon: epsilon, areOwn: true
        )
    }
}

/// Layer normalisation over the channels of every pixel. `[…, C]` → the same. Parameters `weight`, `bias`.
public struct ChannelNorm: Sendable {
    let weight: Tensor
    let bias: Tensor
    let epsilon: Float

    /// - Parameter shape: the published shape of both parameters; nil for `[C]`.
    public init(_ scope: Scope, channels: Int, epsilon: Float, shape: Shape? = nil) {
        weight = scope.parameter("weight", shape ?? [channels], .ones)
        bias = scope.parameter("bias", shape ?? [channels], .zeros)
        self.epsilon = epsilon
    }

    /// As a part of an operation that does more in the same pass over memory.
    public var rows: RowNormalization {
        let channels: Shape = [weight.elementCount]
        return RowNormalization(
            weight: weight.reshaped(channels), bias: bias.reshaped(channels), epsilon: epsilon)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { rows(x) }
}
