import Tensors

/// The function that linear attention applies to queries and keys.
public enum KernelFunction: String, Codable, Hashable, Sendable, CaseIterable {
    case relu
    /// elu + 1: x + 1 above 0, eˣ below; positive everywhere.
    case eluPlusOne
    case leakyRelu
    case identity

    /// Whether no value is negative, which the division form needs for a normaliser that cannot vanish.
    public var isNonnegative: Bool { self == .relu || self == .eluPlusOne }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .relu: Tensors.relu(x)
        case .eluPlusOne: Tensors.relu(x) + exp(-Tensors.relu(-x))
        case .leakyRelu: Tensors.relu(x) - Tensors.relu(-x) * 0.01
        case .identity: x
        }
    }
}
