import TestSupport
import Testing

@testable import Tensors

/// Products whose operands are rounded to bfloat16.
@Suite(.enabled(if: ProductPrecision.bfloat16.isAvailable)) struct BFloat16Tests {
    /// The same numbers with eight significant bits.
    private func rounded(_ x: Tensor) -> Tensor {
        let halves = x.roundedToBFloat16()
        return halves.storage.pointer.withMemoryRebound(to: UInt16.self, capacity: x.elementCount) {
            let values = UnsafeBufferPointer(start: $0, count: x.elementCount)
            return Tensor(shape: x.shape, scalars: values.map { Float(bitPattern: UInt32($0) << 16) })
        }
    }

    private func normals(_ shape: Shape, seed: UInt64) -> Tensor { RandomStream(seed: seed).normals(shape) }

    private func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test func `numbers are rounded to the nearest, ties to even, and what is no number stays none`() {
        let step: Float = 0x1p-7  // between neighbours in 1…2
        let x: [Float] = [
            1 + step / 2, 1 + 1.5 * step, 1 + 0.51 * step, -0.0, .infinity, -.greatestFiniteMagnitude,
            Float(bitPattern: 0x7F80_0001), 0x1p-133,
        ]
        let y = rounded(Tensor(shape: [x.count], scalars: x)).scalars
        #expect(Array(y[0...2]) == [1, 1 + 2 * step, 1 + step])
        #expect(y[3] == 0 && y[3].sign == .minus)
        #expect(y[4] == .infinity && y[5] == -.infinity && y[6].isNaN)
        #expect(y[7] == 0x1p-133, "a subnormal number is kept")
    }

    @Test(arguments: [(1, 1, 1), (3, 2, 1), (5, 1, 2)])
    func `a convolution is that of the rounded operands, summed in float32`(
        _ kernel: Int, _ stride: Int, _ dilation: Int
    ) {
        let (x, w) = (normals([2, 9, 8, 24], seed: 1), normals([40, 24, kernel, kernel], seed: 2) * 0.1)
        let bias = normals([40], seed: 3)
        func convolved(_ x: Tensor, _ w: Tensor) -> Tensor {
            x.convolved(with: w, bias: bias, stride: stride, padding: kernel / 2, dilation: dilation)
        }
        let result = convolved(x, w.multiplying(in: .bfloat16))
        #expect(largestDifference(result, convolved(rounded(x), rounded(w))) < 2e-5)
        #expect(largestDifference(result, convolved(x, w)) > 1e-4, "nothing was rounded")
    }

    @Test func `gradients are those of the rounded operands`() throws {
        let (x, w, bias) = (
            normals([30, 32], seed: 1).variable, normals([48, 32], seed: 2).variable,
            normals([48], seed: 3).variable
        )
        let cotangent = normals([30, 48], seed: 4)
        let half = x.linear(w.multiplying(in: .bfloat16), bias: bias).gradients(cotangent: cotangent)
        let dy = rounded(cotangent)
        let dx = try #require(half[x])
        let dw = try #require(half[w])
        #expect(largestDifference(dx, dy.multiplied(by: rounded(w.detached))) < 2e-5)
        let product = x.detached.linear(w.detached)
        #expect(product.shape == cotangent.shape)
        let exact = rounded(x.detached).variable
        let weight = rounded(w.detached).variable
        let reference = exact.linear(weight).gradients(cotangent: dy)
        #expect(largestDifference(dw, try #require(reference[weight])) < 2e-5)
        // The bias is added to float32 sums.
        let sums = (0..<48).map { o in (0..<30).reduce(Float(0)) { $0 + cotangent.scalars[$1 * 48 + o] } }
        #expect(largestDifference(try #require(half[bias]), Tensor(shape: [48], scalars: sums)) < 1e-5)
    }

    @Test func `weights that change are rounded anew`() {
        let x = normals([4, 16], seed: 1)
        let weight = Tensor(repeating: 1, shape: [16, 16])
        let half = weight.multiplying(in: .bfloat16)
        let before = x.linear(half)
        weight.assign(Tensor(repeating: 2, shape: [16, 16]))
        #expect(largestDifference(x.linear(half), before * 2) < 1e-5)
    }

    @Test func `a sample has the same bits in any batch and with any number of threads`() {
        let x = normals([5, 12, 13, 64], seed: 1)
        let w = normals([32, 64, 1, 1], seed: 2).multiplying(in: .bfloat16)
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        let rows = [1, 4].map { count -> [[Float]] in
            ComputeThreads.setCount(count)
            return (0..<5).map { x.samples($0..<$0 + 1).convolved(with: w).scalars }
        }
        #expect(rows[0] == rows[1])
    }
}
