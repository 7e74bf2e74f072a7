import Tensors

/// 2-D convolution with zero padding that keeps the size at stride 1.
///
/// `[N, H, W, I]` → `[N, H/stride, W/stride, O]`. Parameters `weight [O, I/groups, k, k]`, `bias [O]`, and those of
/// the kernel's form (`ConvolutionKernel`).
public struct Convolution: Sendable {
    private let seat: KernelSeat
    let stride: Int
    let padding: Int
    let dilation: Int
    let groups: Int

    /// - Parameters:
    ///   - kernel: taps in each direction.
    ///   - padding: zeros on each side; nil for half the kernel.
    ///   - form: how the applied weights come from the parameters.
    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int? = nil,
        dilation: Int = 1, groups: Int = 1, hasBias: Bool = true, form: ConvolutionKernel = .standard,
        weight initializer: Initializer? = nil, bias biasInitializer: Initializer = .zeros
    ) {
        let shape: Shape = [outputs, inputs / groups, kernel, kernel]
        seat = KernelSeat(
            scope, form, shape: shape, hasBias: hasBias, weight: initializer ?? .xavierUniform(for: shape),
            bias: biasInitializer)
        self.stride = stride
        self.padding = padding ?? dilation * (kernel / 2)
        self.dilation = dilation
        self.groups = groups
    }

    /// The parameter named `weight`: what is applied only where the kernel's form is standard.
    public var weight: Tensor { seat.weight }
    public var bias: Tensor? { seat.bias }

    /// - Parameter tuning: the user's parameters of a tunable kernel, `[N, P]`, or `[1, P]` for all samples, which
    ///   are then mixed once. Other forms ignore it.
    public func callAsFunction(
        _ x: Tensor, tuning: Tensor? = nil, activation: ConvolutionActivation = .none
    ) -> Tensor {
        guard let applied = applied(tuning: tuning) else { return convolvedByMixtures(x, tuning, activation) }
        return x.convolved(
            with: applied.weight, bias: applied.bias, stride: stride, padding: padding, dilation: dilation,
            groups: groups, activation: activation)
    }

    /// The weights that all samples are convolved with; nil where each has its own, made of its tuning parameters.
    func applied(tuning: Tensor?) -> (weight: Tensor, bias: Tensor?)? {
        switch seat.form {
        case .standard: return (weight, bias)
        case .density(let density):
            return (density(weight).multiplying(in: weight.productPrecision), bias)
        case .mixture(let mixture):
            guard let tuning else { preconditionFailure("a tunable convolution needs its tuning parameters") }
            guard tuning.shape[0] == 1 else { return nil }
            let mixed = mixture.mix(weight, tuning)
            return (
                mixed.reshaped(Shape(Array(mixed.shape.extents.dropFirst())))
                    .multiplying(in: weight.productPrecision),
                bias.map { mixture.mix($0, tuning) }.map { $0.reshaped([$0.elementCount]) }
            )
        }
    }

    private func convolvedByMixtures(_ x: Tensor, _ tuning: Tensor?, _ activation: ConvolutionActivation)
        -> Tensor
    {
        guard case .mixture(let mixture) = seat.form, let tuning else {
            preconditionFailure("only mixtures have weights for each sample")
        }
        let y = x.convolved(
            withEach: mixture.mix(weight, tuning), bias: bias.map { mixture.mix($0, tuning) }, stride: stride,
            padding: padding, dilation: dilation, groups: groups)
        return y.activated(activation)
    }
}

/// Transposed convolution. `[N, H, W, I]` → `[N, H·stride, W·stride, O]` for a kernel as wide as the stride.
/// Parameters `weight [I, O, k, k]`, `bias [O]`.
public struct TransposedConvolution: Sendable {
    let weight: Tensor
    let bias: Tensor?
    let stride: Int

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int, hasBias: Bool = true,
        weight initializer: Initializer? = nil
    ) {
        let shape: Shape = [inputs, outputs, kernel, kernel]
        weight = scope.parameter("weight", shape, initializer ?? .fanIn(outputs * kernel * kernel))
        bias = hasBias ? scope.parameter("bias", [outputs], .zeros) : nil
        self.stride = stride
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let y = x.transposedConvolved(with: weight, stride: stride)
        return bias.map { y + $0 } ?? y
    }
}
