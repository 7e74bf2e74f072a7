import Tensors

/// 2-D convolution with zero padding that keeps the size at stride 1.
///
/// `[N, H, W, I]` → `[N, H/stride, W/stride, O]`. Parameters `weight [O, I/groups, k, k]`, `bias [O]`.
public struct Convolution: Sendable {
    public let weight: Tensor
    public let bias: Tensor?
    let stride: Int
    let padding: Int
    let groups: Int

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1,
        hasBias: Bool = true, weight initializer: Initializer? = nil
    ) {
        let shape: Shape = [outputs, inputs / groups, kernel, kernel]
        weight = scope.parameter("weight", shape, initializer ?? .xavierUniform(for: shape))
        bias = hasBias ? scope.parameter("bias", [outputs], .zeros) : nil
        self.stride = stride
        self.groups = groups
        padding = kernel / 2
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.convolved(with: weight, bias: bias, stride: stride, padding: padding, groups: groups)
    }
}
