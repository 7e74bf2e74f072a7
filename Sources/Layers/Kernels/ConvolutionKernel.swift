import Tensors

/// The exchangeable seat inside a convolution: how the weights that are applied come from the parameters.
public enum ConvolutionKernel: Sendable, Hashable {
    /// The parameters themselves.
    case standard
    /// Multiplied by a spatial density. Convolutions of another size than the density's stay standard.
    case weighted(KernelDensity)
    /// Mixed from several kernels by the user's parameters.
    case tunable(KernelMixing)

    /// Number of user parameters that a convolution with this kernel needs; 0 when it needs none.
    public var tuningCount: Int {
        if case .tunable(let mixing) = self { mixing.parameterCount } else { 0 }
    }
}

/// The parameters behind a convolution's weights, and how the weights come from them.
///
/// Parameters by kernel: standard `weight [O, I/groups, k, k]`, `bias [O]`; weighted the same with the buffers
/// `alfa [k]`, `Phi [k, k]` or the parameter `den [m]`; tunable `weight [1, K, O, I/groups, k, k]`,
/// `bias [1, K, O]`, `mlp.weight [K, P]`, `mlp.bias [K]`.
struct KernelSeat: Sendable {
    enum Form: Sendable {
        case standard
        case density(DensityWeights)
        case mixture(KernelMixture)
    }

    let weight: Tensor
    let bias: Tensor?
    let form: Form

    init(
        _ scope: Scope, _ kernel: ConvolutionKernel, shape: Shape, hasBias: Bool, weight: Initializer,
        bias biasInitializer: Initializer
    ) {
        switch kernel {
        case .tunable(let mixing):
            let count = mixing.kernelCount
            self.weight = scope.parameter("weight", Shape([1, count] + shape.extents), weight)
            bias = hasBias ? scope.parameter("bias", [1, count, shape[0]], biasInitializer) : nil
            form = .mixture(KernelMixture(scope, mixing))
        case .weighted(let density) where density.fits(shape):
            self.weight = scope.parameter("weight", shape, weight)
            bias = hasBias ? scope.parameter("bias", [shape[0]], biasInitializer) : nil
            form = .density(DensityWeights(scope, density, axes: shape.rank - 2))
        case .standard, .weighted:
            self.weight = scope.parameter("weight", shape, weight)
            bias = hasBias ? scope.parameter("bias", [shape[0]], biasInitializer) : nil
            form = .standard
        }
    }
}
