import Tensors

/// How a tunable convolution mixes its kernels (arXiv 2304.00898; mindspore-lab/mindediting, `tunable_conv.py`).
public struct KernelMixing: Sendable, Hashable, Codable {
    /// How the mixing weights come from the user's parameters.
    public enum Rule: String, Sendable, Codable, CaseIterable {
        /// They are the parameters.
        case linear
        /// One affine layer, without an activation.
        case mlp
    }

    /// P, the user's parameters per sample.
    public var parameterCount: Int
    /// Kernels per parameter.
    public var expansion: Int
    public var rule: Rule

    /// - Precondition: `expansion` is 1 unless `rule` is `mlp`.
    public init(parameterCount: Int, expansion: Int = 1, rule: Rule = .mlp) {
        precondition(rule == .mlp || expansion == 1, "linear mixing has one kernel per parameter")
        self.parameterCount = parameterCount
        self.expansion = expansion
        self.rule = rule
    }

    /// K
    public var kernelCount: Int { parameterCount * expansion }
}

/// The mixing weights of one layer: ω `[N, P]` → p `[N, K]`, p = ω or p = A·ω + c.
///
/// Parameters `mlp.weight [K, P]`, `mlp.bias [K]`, or none.
public struct KernelMixture: Sendable {
    public let mixing: KernelMixing
    let affine: Linear?

    public init(_ scope: Scope, _ mixing: KernelMixing) {
        self.mixing = mixing
        affine =
            mixing.rule == .mlp
            ? Linear(scope / "mlp", mixing.parameterCount, mixing.kernelCount, weight: .identity) : nil
    }

    public func callAsFunction(_ tuning: Tensor) -> Tensor {
        precondition(
            tuning.shape.rank == 2 && tuning.shape[1] == mixing.parameterCount,
            "\(mixing.parameterCount) tuning parameters per sample, given \(tuning.shape)")
        return affine.map { $0(tuning) } ?? tuning
    }

    /// Σᵢ pᵢ·valuesᵢ: values `[1, K, …]` → `[N, …]`.
    public func mix(_ values: Tensor, _ tuning: Tensor) -> Tensor {
        let rest = Array(values.shape.extents.dropFirst(2))
        let table = values.reshaped([mixing.kernelCount, rest.reduce(1, *)])
        return self(tuning).multiplied(by: table).reshaped(Shape([tuning.shape[0]] + rest))
    }
}

/// A vector per channel that is mixed as tunable kernels are. Parameters `data [1, K, C, 1, 1]`, `mlp.*`.
public struct TunableParameter: Sendable {
    let data: Tensor
    let mixture: KernelMixture

    /// - Parameter trailing: extents after the channels in the published shape.
    public init(
        _ scope: Scope, channels: Int, trailing: [Int] = [1, 1], mixing: KernelMixing,
        _ initializer: Initializer
    ) {
        data = scope.parameter("data", Shape([1, mixing.kernelCount, channels] + trailing), initializer)
        mixture = KernelMixture(scope, mixing)
    }

    /// ω `[N, P]` → `[N, C]`.
    public func callAsFunction(_ tuning: Tensor) -> Tensor {
        let mixed = mixture.mix(data, tuning)
        return mixed.reshaped([tuning.shape[0], mixed.elementCount / max(1, tuning.shape[0])])
    }
}
