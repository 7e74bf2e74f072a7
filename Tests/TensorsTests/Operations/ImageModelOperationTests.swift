import Tensors
import TestSupport
import Testing

/// Operations that autoencoders, pyramids and block-causal transformers need.
@Suite struct ImageModelOperationTests {
    private func normals(_ shape: Shape, _ stream: UInt64 = 0) -> Tensor {
        RandomStream(seed: 11).stream(stream).normals(shape)
    }

    @Test(arguments: [[1, 3, 5, 2], [3, 4, 2, 3], [1, 2, 3, 6]] as [Shape])
    func `separable maps act on rows and columns`(_ shape: Shape) {
        let x = normals(shape)
        let (rows, columns) = (normals([2, shape[1]], 1), normals([4, shape[2]], 2))
        let y = x.separablyMapped(rows: rows, columns: columns)
        #expect(y.shape == [shape[0], 2, 4, shape[3]])
        let (a, b, values, result) = (rows.scalars, columns.scalars, x.scalars, y.scalars)
        let (n, j, k, c) = (shape[0] - 1, 1, 3, shape[3] - 1)
        var sum: Float = 0
        for h in 0..<shape[1] {
            for w in 0..<shape[2] {
                sum +=
                    a[j * shape[1] + h] * b[k * shape[2] + w]
                    * values[((n * shape[1] + h) * shape[2] + w) * shape[3] + c]
            }
        }
        #expect(abs(result[((n * 2 + j) * 4 + k) * shape[3] + c] - sum) < 1e-5)
        expectDerivative(of: { $0[0].separablyMapped(rows: rows, columns: columns) }, at: [x])
    }

    @Test(arguments: [([1, 3, 2, 4], 2), ([3, 1, 5, 6], 3), ([2, 1, 1, 4], 1)] as [(Shape, Int)])
    func `group normalisation centres and scales each group`(_ shape: Shape, _ groups: Int) {
        let x = normals(shape) * 2 + 3
        let (weight, bias) = (normals([shape[3]], 1), normals([shape[3]], 2))
        let plain = x.groupNorm(
            groups: groups, weight: Tensor(repeating: 1, shape: [shape[3]]), bias: .zeros([shape[3]]),
            epsilon: 1e-6)
        #expect(abs(Tensor.dot(plain, plain) / Double(plain.elementCount) - 1) < 1e-3)
        #expect(plain.spatialMean().scalars.reduce(0, +).magnitude < 1e-4)
        expectDerivative(
            of: {
                $0[0].groupNorm(groups: groups, weight: $0[1], bias: $0[2], epsilon: 1e-6)
            }, at: [x, weight, bias], within: 3e-3)
    }

    @Test(arguments: [([4, 7], 0), ([1, 3], 0.1), ([5, 2], 0.3)] as [(Shape, Float)])
    func `cross-entropy is minus the log of a softmax`(_ shape: Shape, _ smoothing: Float) {
        let x = normals(shape)
        let targets = (0..<shape[0]).map { ($0 * 5 + 1) % shape[1] }
        expectDerivative(of: { $0[0].crossEntropy(targets, smoothing: smoothing) }, at: [x])
        let even = Tensor.zeros(shape).crossEntropy(targets, smoothing: smoothing)
        #expect(even.scalars.allSatisfy { abs($0 - log(Tensor(Float(shape[1]))).item) < 1e-5 })
        let huge = (Tensor.zeros(shape) + 1e4).crossEntropy(targets)
        #expect(huge.nonFiniteCount == 0)
    }

    @Test func `normalised rows have length one`() {
        let x = normals([2, 3, 5]) + 0.5
        let y = x.l2Normalized()
        #expect(abs(Tensor.dot(y, y) - 6) < 1e-4)
        expectDerivative(of: { $0[0].l2Normalized() }, at: [x])
        #expect(Tensor.zeros([2, 3]).l2Normalized().nonFiniteCount == 0)
    }

    @Test(
        arguments: [(1, 4, 4, 2, nil), (3, 3, 5, 1, [1, 4, 5]), (2, 4, 4, 3, [1, 3, 3, 4])]
            as [(Int, Int, Int, Int, [Int]?)])
    func `attention sees its prefix only`(
        _ samples: Int, _ queries: Int, _ keys: Int, _ heads: Int, _ visible: [Int]?
    ) {
        let q = normals([samples, queries, 6], 1)
        let (k, v) = (normals([samples, keys, 6], 2), normals([samples, keys, 6], 3))
        expectDerivative(
            of: {
                $0[0].prefixAttention(
                    key: $0[1], value: $0[2], heads: heads, scale: 0.4, visibleKeys: visible)
            }, at: [q, k, v])
        let ones = Tensor(repeating: 1, shape: v.shape)
        let y = q.prefixAttention(key: k, value: ones, heads: heads, scale: 0.4, visibleKeys: visible)
        #expect(y.scalars.allSatisfy { abs($0 - 1) < 1e-5 })
    }
}
