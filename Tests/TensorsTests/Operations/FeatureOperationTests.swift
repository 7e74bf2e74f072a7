import TestSupport
import Testing

@testable import Tensors

/// What perceptual distances are made of.
@Suite struct FeatureOperationTests {
    let random = RandomStream(seed: 21)

    @Test(arguments: [(2, 2, false), (3, 2, false), (3, 2, true), (2, 1, false)])
    func `a pool takes the largest value of its windows, and gives it the gradient`(
        _ size: Int, _ stride: Int, _ usesCeiling: Bool
    ) {
        // A permutation spread far apart: no step of the check changes which value is largest.
        let shape: Shape = [2, 6, 7, 3]
        let order = random.permutation(count: shape.elementCount)
        let x = Tensor(shape: shape, scalars: order.map { Float($0) / 4 })
        let y = x.maxPooled(size: size, stride: stride, usesCeiling: usesCeiling)
        let extra = usesCeiling ? stride - 1 : 0
        let (h, w) = ((6 - size + extra) / stride + 1, (7 - size + extra) / stride + 1)
        #expect(y.shape == [2, h, w, 3])
        for n in 0..<2 {
            for i in 0..<h {
                for j in 0..<w {
                    for c in 0..<3 {
                        var largest = -Float.infinity
                        for a in i * stride..<min(6, i * stride + size) {
                            for b in j * stride..<min(7, j * stride + size) {
                                largest = max(largest, x.scalars[((n * 6 + a) * 7 + b) * 3 + c])
                            }
                        }
                        #expect(y.scalars[((n * h + i) * w + j) * 3 + c] == largest)
                    }
                }
            }
        }
        expectDerivative(
            of: { $0[0].maxPooled(size: size, stride: stride, usesCeiling: usesCeiling) }, at: [x])
    }

    @Test func `among equal values the first one of a window gets the gradient`() {
        let x = Tensor(shape: [1, 2, 2, 1], scalars: [1, 3, 3, 3]).variable
        #expect(x.maxPooled(size: 2, stride: 2).sum().gradients()[x]?.scalars == [0, 1, 0, 0])
    }

    @Test func `unit vectors have length one and a derivative, zeros stay zero`() throws {
        let x = random.normals([2, 3, 1, 5])
        let y = x.unitVectors()
        for row in 0..<6 {
            let length = y.scalars[row * 5..<row * 5 + 5].reduce(0) { $0 + $1 * $1 }
            #expect(abs(length - 1) < 1e-5)
        }
        expectDerivative(of: { $0[0].unitVectors(epsilon: 0.1) }, at: [x])
        let zero = Tensor.zeros([1, 1, 1, 4]).variable
        let still = zero.unitVectors()
        #expect(still.scalars == [0, 0, 0, 0])
        #expect(try #require(still.sum().gradients()[zero]).scalars == [0, 0, 0, 0])
    }
}
