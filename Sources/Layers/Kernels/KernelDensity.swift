import Tensors

/// The spatial density of a weighted convolution (arXiv 2505.24527, 2505.24558; published as weightedConvolution2.0).
///
/// With coefficients d₁…d_m, outermost first, a kernel of 2m + 1 taps is multiplied by α ⊗ α,
/// α = (d₁ … d_m, 1, d_m … d₁). It is a reparametrisation: what changes is the scale at the start and the step size
/// of each tap, not the functions a network can represent, and at inference it folds into the weights.
public struct KernelDensity: Sendable, Hashable, Codable {
    /// d₁…d_m, outermost first; empty for a 1×1 kernel.
    public var coefficients: [Float]
    /// Learned per layer (parameter `den`), or given (buffers `alfa`, `Phi`).
    public var isTrainable: Bool

    public init(_ coefficients: [Float], isTrainable: Bool = false) {
        self.coefficients = coefficients
        self.isTrainable = isTrainable
    }

    public var kernelSize: Int { 2 * coefficients.count + 1 }

    /// Whether a weight `[O, I/groups, k…]` has this density's size.
    func fits(_ shape: Shape) -> Bool { shape.extents.dropFirst(2).allSatisfy { $0 == kernelSize } }

    /// α, one value per tap.
    public var profile: [Float] { coefficients + [1] + coefficients.reversed() }

    /// α ⊗ α ⊗ … over `axes` axes, last axis fastest.
    public func product(axes: Int) -> [Float] {
        (1..<max(1, axes)).reduce(profile) { result, _ in result.flatMap { a in profile.map { a * $0 } } }
    }
}

/// A density as part of a layer.
struct DensityWeights: Sendable {
    private enum Source: Sendable {
        /// The density over all taps, last axis fastest.
        case given(Tensor)
        /// d₁…d_m.
        case learned(Tensor)
    }

    private let source: Source
    private let axes: Int

    init(_ scope: Scope, _ density: KernelDensity, axes: Int) {
        self.axes = axes
        let k = density.kernelSize
        if density.isTrainable {
            source = .learned(
                scope.parameter("den", [density.coefficients.count], .values(density.coefficients)))
        } else {
            _ = scope.buffer("alfa", [k], .values(density.profile), isOptional: true)
            source = .given(
                scope.buffer(
                    "Phi", Shape(Array(repeating: k, count: axes)), .values(density.product(axes: axes))))
        }
    }

    /// The weights `[O, I/groups, k…]` times the density.
    func callAsFunction(_ weight: Tensor) -> Tensor {
        let taps = weight.shape.extents.dropFirst(2).reduce(1, *)
        let rows = weight.reshaped([weight.shape[0] * weight.shape[1], taps])
        return (rows * density.reshaped([taps])).reshaped(weight.shape)
    }

    private var density: Tensor {
        switch source {
        case .given(let phi): return phi
        case .learned(let coefficients):
            let m = coefficients.elementCount
            let table = Tensor.concatenateChannels([
                coefficients.reshaped([1, m]), Tensor(repeating: 1, shape: [1, 1]),
            ]).reshaped([m + 1, 1])
            let alpha = table.gatheringRows(Array(0...m) + (0..<m).reversed())  // [k, 1]
            let k = 2 * m + 1
            // Each axis more is an outer product: [k^n, 1]·[1, k].
            return (1..<axes).reduce(alpha) { product, _ in
                product.linear(alpha).reshaped([product.elementCount * k, 1])
            }
        }
    }
}
