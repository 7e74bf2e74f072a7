import Tensors

/// x·Wᵀ + b on the last axis: `[…, I]` → `[…, O]`. Parameters `weight [O, I]`, `bias [O]`.
public struct Linear: Sendable {
    public let weight: Tensor
    public let bias: Tensor?

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, hasBias: Bool = true,
        weight initializer: Initializer? = nil, bias biasInitializer: Initializer = .zeros
    ) {
        let shape: Shape = [outputs, inputs]
        weight = scope.parameter("weight", shape, initializer ?? .xavierUniform(for: shape))
        bias = hasBias ? scope.parameter("bias", [outputs], biasInitializer) : nil
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.linear(weight, bias: bias) }
}
