import TestSupport
import Testing

@testable import Tensors

/// Depthwise 3×3 convolutions, which have kernels of their own where channels come in sixteens.
@Suite struct DepthwiseTests {
    private func input(_ shape: Shape) -> Tensor { RandomStream(seed: 1).normals(shape) }
    private func weight(_ channels: Int) -> Tensor { RandomStream(seed: 2).normals([channels, 1, 3, 3]) }
    private func bias(_ channels: Int) -> Tensor { RandomStream(seed: 3).normals([channels]) }

    private func convolved(_ x: Tensor, activation: ConvolutionActivation = .none) -> Tensor {
        let channels = x.shape[3]
        return x.convolved(
            with: weight(channels), bias: bias(channels), padding: 1, groups: channels, activation: activation
        )
    }

    /// What the definition says, in double precision.
    private func reference(_ x: Tensor) -> [Double] {
        let (samples, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let (pixels, w, b) = (x.scalars, weight(channels).scalars, bias(channels).scalars)
        var result: [Double] = []
        for n in 0..<samples {
            for row in 0..<height {
                for column in 0..<width {
                    for c in 0..<channels {
                        result.append(
                            (0..<9).reduce(Double(b[c])) { sum, tap in
                                let (y, z) = (row + tap / 3 - 1, column + tap % 3 - 1)
                                guard (0..<height).contains(y), (0..<width).contains(z) else { return sum }
                                let pixel = pixels[((n * height + y) * width + z) * channels + c]
                                return sum + Double(pixel) * Double(w[c * 9 + tap])
                            })
                    }
                }
            }
        }
        return result
    }

    @Test(
        arguments: [[1, 1, 1, 16], [2, 5, 7, 48], [1, 9, 1, 32], [3, 4, 16, 16], [1, 2, 3, 80]] as [Shape])
    func `agrees with the definition for every size and any multiple of 16 channels`(_ shape: Shape) {
        let x = input(shape)
        let worst = zip(convolved(x).scalars, reference(x)).map { abs(Double($0) - $1) }.max() ?? .infinity
        #expect(worst < 1e-5)
    }

    @Test(arguments: [[1, 5, 6, 32], [2, 9, 3, 96], [1, 4, 4, 48]] as [Shape])
    func `a gate in the same pass gives what it gives in a pass of its own`(_ shape: Shape) {
        let x = input(shape)
        #expect(convolved(x, activation: .simpleGate).scalars == convolved(x).simpleGate().scalars)
    }

    @Test func `has the derivatives of a convolution, in input, weights and bias`() {
        let x = input([3, 6, 5, 32])
        expectDerivative(
            of: { $0[0].convolved(with: $0[1], bias: $0[2], padding: 1, groups: 32) },
            at: [x, weight(32), bias(32)], step: 1 / 4)
    }

    @Test func `a gate has its derivative where a gradient is wanted`() {
        let x = input([2, 5, 4, 32])
        expectDerivative(
            of: {
                $0[0].convolved(with: $0[1], bias: $0[2], padding: 1, groups: 32, activation: .simpleGate)
            },
            at: [x, weight(32), bias(32)])
    }

    @Test
    func `gives a sample the same bits in any batch, and gradients the same with any number of threads`() {
        let x = input([9, 11, 6, 64])
        func everything() -> [[Float]] {
            let (v, w) = (x.variable, weight(64).variable)
            let y = v.convolved(with: w, padding: 1, groups: 64)
            let gradients = y.gradients(cotangent: y.detached)
            return [y, gradients[v], gradients[w]].compactMap { $0?.scalars }
        }
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        ComputeThreads.setCount(1)
        let alone = everything()
        ComputeThreads.setCount(4)
        #expect(alone.count == 3 && everything() == alone)
        let whole = convolved(x)
        for sample in 0..<9 {
            #expect(
                convolved(x.samples(sample..<sample + 1)).scalars
                    == whole.samples(sample..<sample + 1).scalars)
        }
    }

    @Test func `does not hide what is not a number`() {
        var scalars = input([1, 6, 6, 16]).scalars
        scalars[(2 * 6 + 3) * 16 + 5] = .nan
        let y = convolved(Tensor(shape: [1, 6, 6, 16], scalars: scalars)).scalars
        let touched = y.indices.filter { y[$0].isNaN }
        let expected = (1...3).flatMap { row in (2...4).map { (row * 6 + $0) * 16 + 5 } }
        #expect(touched == expected)
    }
}
