import Synchronization
import TestSupport
import Testing

@testable import Tensors

/// Dense 3×3 convolutions, which are computed by Winograd's method where channels come in sixteens.
@Suite struct WinogradTests {
    private struct Case {
        var batch = 1
        var height: Int
        var width: Int
        var inputs: Int
        var outputs: Int
        var padding = 1

        var x: Tensor {
            RandomStream(seed: 1).normals([batch, height, width, inputs])
        }
        var weight: Tensor {
            RandomStream(seed: 2).normals([outputs, inputs, 3, 3]) * (1 / Float(9 * inputs).squareRoot())
        }
        var bias: Tensor { RandomStream(seed: 3).normals([outputs]) }
    }

    /// What the definition says, in double precision.
    private func reference(_ c: Case) -> [Double] {
        let (x, w, b) = (c.x.scalars, c.weight.scalars, c.bias.scalars)
        var result: [Double] = []
        for n in 0..<c.batch {
            for row in 0..<c.height + 2 * c.padding - 2 {
                for column in 0..<c.width + 2 * c.padding - 2 {
                    for o in 0..<c.outputs {
                        var sum = Double(b[o])
                        for tap in 0..<9 {
                            let (y, z) = (row + tap / 3 - c.padding, column + tap % 3 - c.padding)
                            guard (0..<c.height).contains(y), (0..<c.width).contains(z) else { continue }
                            let pixel = ((n * c.height + y) * c.width + z) * c.inputs
                            for i in 0..<c.inputs {
                                sum += Double(x[pixel + i]) * Double(w[(o * c.inputs + i) * 9 + tap])
                            }
                        }
                        result.append(sum)
                    }
                }
            }
        }
        return result
    }

    @Test(
        arguments: [
            Case(height: 4, width: 4, inputs: 16, outputs: 16),
            Case(batch: 3, height: 9, width: 7, inputs: 32, outputs: 48),
            Case(batch: 2, height: 8, width: 5, inputs: 16, outputs: 80, padding: 0),
            Case(height: 3, width: 11, inputs: 48, outputs: 16, padding: 2),
        ])
    private func `agrees with the definition for odd sizes, every padding and any multiple of 16 channels`(
        _ c: Case
    ) {
        let result = c.x.convolved(with: c.weight, bias: c.bias, padding: c.padding).scalars
        let worst = zip(result, reference(c)).map { abs(Double($0) - $1) }.max() ?? .infinity
        // Results are of size 1; the direct method's error is about 1e-6.
        #expect(worst < 1e-5)
    }

    @Test func `has the derivatives of a convolution, in input, weights and bias`() {
        let c = Case(batch: 2, height: 9, width: 10, inputs: 16, outputs: 32)
        expectDerivative(
            of: { $0[0].convolved(with: $0[1], bias: $0[2], padding: 1) }, at: [c.x, c.weight, c.bias],
            step: 1 / 4)
    }

    @Test func `gives a sample the same bits in any batch and with any number of threads`() {
        let c = Case(batch: 5, height: 12, width: 13, inputs: 64, outputs: 64)
        let x = c.x
        let whole = x.convolved(with: c.weight, bias: c.bias, padding: 1)
        for sample in 0..<c.batch {
            let alone = x.samples(sample..<sample + 1).convolved(with: c.weight, bias: c.bias, padding: 1)
            #expect(alone.scalars == whole.samples(sample..<sample + 1).scalars)
        }
        let rows = Mutex([[Float]](repeating: [], count: c.batch))
        // Inside of a parallel section one thread computes a sample.
        ComputeThreads.concurrently(c.batch) { row in
            let y = x.samples(row..<row + 1).convolved(with: c.weight, bias: c.bias, padding: 1)
            rows.withLock { $0[row] = y.scalars }
        }
        let joined = rows.withLock { $0.flatMap { $0 } }
        #expect(joined == whole.scalars)
    }

    @Test func `works on weights too large for one core's cache as on small ones`() {
        let c = Case(batch: 2, height: 5, width: 6, inputs: 160, outputs: 176)
        let result = c.x.convolved(with: c.weight, bias: c.bias, padding: 1).scalars
        let worst = zip(result, reference(c)).map { abs(Double($0) - $1) }.max() ?? .infinity
        #expect(worst < 2e-5)
        expectDerivative(
            of: { $0[0].convolved(with: $0[1], padding: 1) },
            at: [RandomStream(seed: 1).normals([2, 17, 16, 160]), c.weight], step: 2, elements: 6)
    }

    @Test func `a changed weight is transformed anew`() {
        let c = Case(height: 8, width: 8, inputs: 16, outputs: 16)
        let (x, weight) = (c.x, c.weight)
        let before = x.convolved(with: weight, padding: 1)
        weight.assign(weight * 2)
        #expect(x.convolved(with: weight, padding: 1).scalars == (before * 2).scalars)
    }

    @Test(arguments: [16, 12])
    func `a ReLU in the convolution is the one after it, with its derivative, and lets no NaN disappear`(
        channels: Int
    ) {
        let x = RandomStream(seed: 1).normals([2, 8, 7, channels]).variable
        let w = (RandomStream(seed: 2).normals([channels, channels, 3, 3]) * 0.1).variable
        let fused = x.convolved(with: w, padding: 1, activation: .relu)
        let apart = relu(x.convolved(with: w, padding: 1))
        #expect(fused.scalars == apart.scalars)
        let (a, b) = (fused.gradients(), apart.gradients())
        #expect(a[x]?.scalars == b[x]?.scalars && a[w]?.scalars == b[w]?.scalars)
        #expect(a[x] != nil && a[w] != nil)

        let broken = Tensor(repeating: .nan, shape: [1, 8, 8, channels]).variable
        let result = broken.convolved(with: w.detached, padding: 1, activation: .relu)
        #expect(result.scalars.allSatisfy { $0.isNaN })
    }

    @Test(arguments: [1, 3]) func `a GELU in the convolution is the one after it`(kernel: Int) {
        let x = RandomStream(seed: 1).normals([2, 6, 7, 16]) * 2
        let w = RandomStream(seed: 2).normals([16, 16, kernel, kernel]) * 0.3
        let fused = x.convolved(with: w, padding: kernel / 2, activation: .gelu).scalars
        let apart = gelu(x.convolved(with: w, padding: kernel / 2)).scalars
        #expect(zip(fused, apart).allSatisfy { abs($0 - $1) <= 2e-6 * max(1, abs($1)) })

        let tracked = x.variable
        let gradient = tracked.convolved(with: w, padding: kernel / 2, activation: .gelu).gradients()[tracked]
        let other = x.variable
        let expected = gelu(other.convolved(with: w, padding: kernel / 2)).gradients()[other]
        #expect(gradient != nil && gradient?.scalars == expected?.scalars)
    }
}
