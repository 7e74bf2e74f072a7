import Tensors

/// What a linear attention adds for a token's neighbourhood.
struct LinearAttentionLocality: Sendable {
    private static let sequenceKernel = 5
    private static let gridKernel = 3

    private let kind: AttentionLocality
    private let heads: Int
    private let depthwise: (weight: Tensor, bias: Tensor)?
    private let first: GroupedLinear?
    private let second: GroupedLinear?
    private let alpha: Tensor?

    init(_ scope: Scope, width: Int, _ configuration: LinearAttentionConfiguration) {
        kind = configuration.locality
        heads = configuration.heads
        let size = configuration.convolutionSize
        if kind == .depthwise {
            let inner = scope / "dw_conv"
            depthwise = (
                inner.parameter("weight", [width, 1, size, size], .fanIn(size * size)),
                inner.parameter("bias", [width], .fanIn(size * size))
            )
        } else {
            depthwise = nil
        }
        let taps = kind == .dynamicGrid ? Self.gridKernel * Self.gridKernel : Self.sequenceKernel
        let isDynamic = kind != .none && kind != .depthwise
        first = isDynamic ? GroupedLinear(scope / "residual.0", width, width, groups: heads) : nil
        second = isDynamic ? GroupedLinear(scope / "residual.2", width, taps * width, groups: heads) : nil
        alpha = kind == .unusedDynamicSequence ? scope.parameter("alpha", [], .ones) : nil
    }

    /// - Parameters:
    ///   - y: the mixed tokens.
    ///   - input: the mixer's input.
    func callAsFunction(adding y: Tensor, input x: Tensor, values v: Tensor, layout: TokenLayout) -> Tensor {
        let (n, width) = (x.shape[0], x.shape[2])
        switch kind {
        case .none: return y
        case .depthwise:
            guard let depthwise else { return y }
            return y
                + onGrid(x, layout) {
                    $0.convolved(
                        with: depthwise.weight, bias: depthwise.bias, padding: depthwise.weight.shape[2] / 2,
                        groups: width)
                }
        case .dynamicGrid:
            let side = Self.gridKernel
            guard let kernels = kernels(x)?.reshaped([n, width, 1, side, side]) else { return y }
            return y + onGrid(x, layout) { $0.convolved(withEach: kernels, padding: side / 2, groups: width) }
        case .dynamicSequence:
            // One row of a square kernel over a map that is one pixel high.
            let side = Self.sequenceKernel
            guard let taps = kernels(x)?.reshaped([n * width, side]) else { return y }
            let rest = Tensor.zeros([n * width, side * (side / 2)])
            let square = Tensor.concatenateChannels([rest, taps, rest]).reshaped([n, width, 1, side, side])
            let line = v.reshaped([n, 1, v.shape[1], width])
            return y + line.convolved(withEach: square, padding: side / 2, groups: width).reshaped(v.shape)
        case .unusedDynamicSequence:
            guard let alpha else { return y }
            let factor = alpha.reshaped([1, 1]).gatheringRows(Array(repeating: 0, count: width)).reshaped([
                width
            ])
            let mean = v.spatialMean()
            return (y - mean) * factor + mean
        }
    }

    /// Kernels made from the mean token, `[N, D·taps]`.
    private func kernels(_ x: Tensor) -> Tensor? {
        guard let first, let second else { return nil }
        return second(gelu(first(x.spatialMean())))
    }

    /// Applies a function of the image `[N, H, W, D]`; leading tokens get zero.
    private func onGrid(_ x: Tensor, _ layout: TokenLayout, _ function: (Tensor) -> Tensor) -> Tensor {
        guard let grid = layout.grid else {
            preconditionFailure("a convolution needs the grid that its \(x.shape[1]) tokens are of")
        }
        let (n, width) = (x.shape[0], x.shape[2])
        let image = x.tokens(layout.prefix..<x.shape[1]).reshaped([n, grid.height, grid.width, width])
        let result = function(image).reshaped([n, grid.count, width])
        guard layout.prefix > 0 else { return result }
        return .concatenateTokens([.zeros([n, layout.prefix, width]), result])
    }
}

/// A linear layer whose channels are divided into groups that do not mix; published as a 1-D convolution of width one.
///
/// `[N, I]` → `[N, O]`. Parameters `weight [O, I/groups, 1]`, `bias [O]`.
struct GroupedLinear: Sendable {
    private let weight: Tensor
    private let bias: Tensor
    private let groups: Int

    init(_ scope: Scope, _ inputs: Int, _ outputs: Int, groups: Int) {
        self.groups = groups
        weight = scope.parameter("weight", [outputs, inputs / groups, 1], .fanIn(inputs / groups))
        bias = scope.parameter("bias", [outputs], .fanIn(inputs / groups))
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let (n, inputs, outputs) = (x.shape[0], x.shape[1], weight.shape[0])
        let grouped = x.reshaped([n, groups, inputs / groups]).permuted([1, 0, 2])
        let matrices = weight.reshaped([groups, outputs / groups, inputs / groups])
        return grouped.matrixProduct(matrices, transposed: (false, true)).permuted([1, 0, 2]).reshaped([
            n, outputs,
        ])
            + bias
    }
}
