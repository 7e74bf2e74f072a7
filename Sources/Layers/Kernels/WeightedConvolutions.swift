import Tensors

/// Weighted convolution along one axis: `[N, L, I]` → `[N, L', O]`.
///
/// Parameters `weight [O, I, k]`, `bias [O]`, and the density's.
public struct WeightedConvolution1D: Sendable {
    private let seat: KernelSeat
    private let padding: Int

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, density: KernelDensity, padding: Int, hasBias: Bool
    ) {
        let shape: Shape = [outputs, inputs, density.kernelSize]
        seat = KernelSeat(
            scope, .weighted(density), shape: shape, hasBias: hasBias,
            weight: .kaimingNormalFanOut(for: shape),
            bias: .zeros)
        self.padding = padding
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let weight = seat.densityWeights
        // An image of height 1.
        let y = x.reshaped([x.shape[0], 1, x.shape[1], x.shape[2]]).padded(left: padding, right: padding)
            .convolved(
                with: weight.reshaped([weight.shape[0], weight.shape[1], 1, weight.shape[2]]), bias: seat.bias
            )
        return y.reshaped([y.shape[0], y.shape[2], y.shape[3]])
    }
}

/// Weighted convolution over a volume: `[N, D, H, W, I]` → `[N, D', H', W', O]`.
///
/// One 2-D convolution of all slices per slice of the kernel, shifted along the depth and added.
/// Parameters `weight [O, I, k, k, k]`, `bias [O]`, and the density's.
public struct WeightedConvolution3D: Sendable {
    private let seat: KernelSeat
    private let padding: Int

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, density: KernelDensity, padding: Int, hasBias: Bool
    ) {
        let k = density.kernelSize
        let shape: Shape = [outputs, inputs, k, k, k]
        seat = KernelSeat(
            scope, .weighted(density), shape: shape, hasBias: hasBias,
            weight: .kaimingNormalFanOut(for: shape),
            bias: .zeros)
        self.padding = padding
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        let weight = seat.densityWeights
        let (outputs, inputs, k) = (weight.shape[0], weight.shape[1], weight.shape[2])
        let (n, depth, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let outputDepth = depth + 2 * padding - k + 1
        // Slices as rows of an image whose "columns" are all pixels of a slice.
        let slices = x.reshaped([n, depth, h * w, inputs])
        let kernels = weight.reshaped([outputs * inputs, k, k * k, 1])
        let parts = (0..<k).map { slice -> Tensor in
            let rows = (0..<outputDepth).map { position -> Int? in
                let source = position + slice - padding
                return (0..<depth).contains(source) ? source : nil
            }
            let shifted = slices.gatheringPixels(rows: rows, columns: Array(0..<h * w))
            let kernel = kernels.gatheringPixels(rows: [slice], columns: Array(0..<k * k))
            return shifted.reshaped([n * outputDepth, h, w, inputs]).convolved(
                with: kernel.reshaped([outputs, inputs, k, k]), bias: slice == 0 ? seat.bias : nil,
                padding: padding)
        }
        let sum = parts.dropFirst().reduce(parts[0], +)
        return sum.reshaped([n, outputDepth, sum.shape[1], sum.shape[2], outputs])
    }
}

extension KernelSeat {
    /// The weights that a weighted kernel applies.
    fileprivate var densityWeights: Tensor {
        if case .density(let density) = form { density(weight) } else { weight }
    }
}
