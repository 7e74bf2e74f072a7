import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct AttentionTests {
    /// Samples, queries, keys, heads, width of a head: odd sizes, one token, more keys than a block holds.
    static let sizes: [(Int, Int, Int, Int, Int)] = [
        (1, 5, 5, 1, 3), (3, 7, 4, 2, 5), (2, 1, 1, 3, 2), (1, 3, 2, 2, 9),
    ]
    let random = RandomStream(seed: 11)

    private func normals(_ shape: Shape, _ stream: UInt64) -> Tensor { random.stream(stream).normals(shape) }
    /// Away from zero, as keys and queries behind a non-negative kernel function are.
    private func positive(_ shape: Shape, _ stream: UInt64) -> Tensor {
        random.stream(stream).uniforms(shape) + 0.3
    }

    @Test(arguments: sizes)
    func `softmax attention has the derivative of its formula`(
        _ samples: Int, _ queries: Int, _ keys: Int, _ heads: Int, _ width: Int
    ) {
        let d = heads * width
        let operands = [
            normals([samples, queries, d], 1), normals([samples, keys, d], 2),
            normals([samples, keys, d], 3),
        ]
        expectDerivatives(of: operands) { $0[0].attending(to: $0[1], $0[2], heads: heads, scale: 0.7) }
    }

    /// The whole matrix of weights, in double precision.
    private func reference(
        _ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, weights: ([Double], Int) -> [Double]
    ) -> [Float] {
        let (n, l, d, m) = (q.shape[0], q.shape[1], q.shape[2], k.shape[1])
        let width = d / heads
        let (qs, ks, vs) = (q.scalars, k.scalars, v.scalars)
        var result = [Float](repeating: 0, count: n * l * d)
        for sample in 0..<n {
            for head in 0..<heads {
                for i in 0..<l {
                    let scores = (0..<m).map { j in
                        (0..<width).reduce(0.0) {
                            $0 + Double(qs[(sample * l + i) * d + head * width + $1])
                                * Double(ks[(sample * m + j) * d + head * width + $1])
                        }
                    }
                    let row = weights(scores, width)
                    for c in 0..<width {
                        let sum = (0..<m).reduce(0.0) {
                            $0 + row[$1] * Double(vs[(sample * m + $1) * d + head * width + c])
                        }
                        result[(sample * l + i) * d + head * width + c] = Float(sum)
                    }
                }
            }
        }
        return result
    }

    private func expectEqual(_ a: [Float], _ b: [Float], within tolerance: Float) {
        let top = b.map(abs).max() ?? 1
        let worst = zip(a, b).map { abs($0 - $1) }.max() ?? 0
        #expect(worst <= tolerance * top, "\(worst) of \(top)")
    }

    @Test(arguments: [(1, 300, 2, 4), (3, 70, 1, 8)])
    func `every form equals its matrix of weights`(_ samples: Int, _ tokens: Int, _ heads: Int, _ width: Int)
    {
        let shape: Shape = [samples, tokens, heads * width]
        let (q, k, v) = (normals(shape, 4) * 3, normals(shape, 5), normals(shape, 6))
        let soft = reference(q, k, v, heads: heads) { scores, width in
            let top = scores.max() ?? 0
            let powers = scores.map { exp(($0 - top) / Double(width).squareRoot()) }
            return powers.map { $0 / powers.reduce(0, +) }
        }
        expectEqual(q.attending(to: k, v, heads: heads).scalars, soft, within: 5e-6)
        let subtracted = reference(q, k, v, heads: heads) { scores, width in
            let scaled = scores.map { $0 / Double(width).squareRoot() }
            let mean = scaled.reduce(0, +) / Double(scores.count)
            return scaled.map { ($0 - mean + 1) / Double(scores.count) }
        }
        expectEqual(q.subtractingAttention(to: k, v, heads: heads).scalars, subtracted, within: 5e-6)
        let (p, r) = (positive(shape, 7), positive(shape, 8))
        let divided = reference(p, r, v, heads: heads) { scores, _ in
            scores.map { $0 / (scores.reduce(0, +) + Double(tokens) * 1e-6) }
        }
        expectEqual(p.dividingAttention(to: r, v, heads: heads).scalars, divided, within: 5e-6)
    }

    @Test(arguments: sizes)
    func `linear attention has the derivative of its formula`(
        _ samples: Int, _ tokens: Int, _ unused: Int, _ heads: Int, _ width: Int
    ) {
        let shape: Shape = [samples, tokens, heads * width]
        let (q, k, v) = (positive(shape, 1), positive(shape, 2), normals(shape, 3))
        expectDerivatives(of: [q, k, v]) {
            $0[0].dividingAttention(to: $0[1], $0[2], heads: heads, epsilon: 1e-3)
        }
        expectDerivatives(of: [q, k, v, positive(shape, 4)]) {
            $0[0].dividingAttention(to: $0[1], $0[2], normalizing: $0[3], heads: heads, epsilon: 1e-3)
        }
        expectDerivatives(of: [q, k, v]) { $0[0].subtractingAttention(to: $0[1], $0[2], heads: heads) }
    }

    @Test func `a vanishing normaliser gives finite values and derivatives`() {
        let shape: Shape = [1, 4, 2]
        let q = Tensor(shape: shape, scalars: [0, 0, 1, 1, 1, -1, 0, 0]).variable
        let k = Tensor(shape: shape, scalars: [1, 1, -1, -1, 2, 2, -2, -2]).variable
        let v = normals(shape, 3).variable
        let y = q.dividingAttention(to: k, v, heads: 1, epsilon: 0)
        #expect(y.nonFiniteCount == 0)
        let gradients = y.gradients(cotangent: normals(shape, 4))
        for variable in [q, k, v] { #expect(gradients[variable]?.nonFiniteCount == 0) }
    }

    @Test func `memory of attention grows with the tokens, not their square`() {
        func peak(_ tokens: Int) -> Int {
            let shape: Shape = [1, tokens, 4]
            let (q, k, v) = (
                normals(shape, 1).variable, normals(shape, 2).variable, normals(shape, 3).variable
            )
            StorageCache.shared.resetPeak()
            let before = StorageCache.shared.statistics.live
            _ = q.attending(to: k, v, heads: 1).gradients(cotangent: normals(shape, 4))
            return StorageCache.shared.statistics.peak - before
        }
        _ = peak(64)
        #expect(peak(4096) < 4096 * 4096 * 4 / 4)
    }

    @Test(arguments: [(1, 3, 2, 4), (3, 5, 1, 7)])
    func `gates, rotations and softmax`(_ samples: Int, _ tokens: Int, _ heads: Int, _ width: Int) {
        let x = normals([samples, tokens, heads * width], 1)
        expectDerivatives(of: [x, normals([tokens, heads], 2)]) { $0[0].scaledByHead($0[1]) }
        expectDerivatives(of: [x, normals([samples, tokens, heads], 3)]) { $0[0].scaledByHead($0[1]) }
        expectDerivatives(of: [x]) { $0[0].softmax() }
        guard width % 2 == 0 else { return }
        for shape in [[tokens, width / 2], [samples, tokens, width / 2]] as [Shape] {
            let angle = normals(shape, 4)
            expectDerivatives(of: [x]) {
                $0[0].rotatedPairs(cosine: cos(angle), sine: sin(angle), heads: heads)
            }
            let back = x.rotatedPairs(cosine: cos(angle), sine: sin(angle), heads: heads)
                .rotatedPairs(cosine: cos(angle), sine: sin(angle), heads: heads, backwards: true)
            expectEqual(back.scalars, x.scalars, within: 1e-6)
        }
    }

    @Test func `matrix products of a batch`() {
        for (a, b, transposed) in [
            ([3, 2, 5], [3, 5, 4], (false, false)), ([3, 5, 2], [1, 5, 4], (true, false)),
            ([1, 2, 5], [3, 4, 5], (false, true)), ([2, 5, 3], [2, 4, 5], (true, true)),
        ] as [(Shape, Shape, (Bool, Bool))] {
            expectDerivatives(of: [normals(a, 1), normals(b, 2)]) {
                $0[0].matrixProduct($0[1], transposed: transposed)
            }
        }
    }

    @Test func `moving tokens and axes`() {
        let x = normals([3, 4, 5], 1)
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
            expectDerivatives(of: [x]) { $0[0].permuted(order) }
        }
        #expect(
            Tensor(shape: [2, 3], scalars: [1, 2, 3, 4, 5, 6]).permuted([1, 0]).scalars == [1, 4, 2, 5, 3, 6])
        let lists = [[3, 0], [1, 2], [2, 0]]
        expectDerivatives(of: [x]) { $0[0].gatheringTokens(lists) }
        expectDerivatives(of: [x]) { $0[0].gatheringTokenRows([[], [1, 1], [2]]) }
        expectDerivatives(of: [x, normals([3, 2, 5], 2)]) { $0[0].replacingTokens(lists, with: $0[1]) }
        expectDerivatives(of: [x, normals([3, 2, 5], 2)]) { .concatenateTokens([$0[1], $0[0]]) }
        expectDerivatives(of: [x]) { $0[0].tokens(1..<3) }
        expectDerivatives(of: [x]) { $0[0].repeatedSamples(2) }
        expectDerivatives(of: [normals([2, 3], 1)]) { $0[0].broadcastSamples(3) }
        #expect(x.gatheringTokens([[], [], []]).shape == [3, 0, 5])
        #expect(Tensor.concatenateTokens([x.tokens(0..<0), x]).scalars == x.scalars)
    }

    @Test(arguments: [[1, 3], [3, 17], [2, 3, 5]] as [Shape]) func `root mean square norm and limits`(
        _ shape: Shape
    ) {
        expectDerivatives(of: [normals(shape, 1)], tolerance: 2e-3) { $0[0].rmsNorm(epsilon: 1e-2) }
        expectDerivatives(of: [normals(shape, 1)], tolerance: 2e-3) {
            $0[0].rmsNorm(epsilon: 1e-2, epsilonOutside: true)
        }
        expectDerivatives(of: [normals(shape, 1)]) { $0[0].clamped(to: 10) }
        let limited = Tensor(shape: [4], scalars: [-.infinity, .nan, 0.5, 3]).variable
        let y = limited.clamped(to: 2)
        #expect(y.scalars == [-2, 0, 0.5, 2])
        #expect(y.gradients(cotangent: Tensor(repeating: 1, shape: [4]))[limited]?.scalars == [0, 0, 1, 0])
    }
}

private func expectDerivatives(
    of inputs: [Tensor], tolerance: Double = 1e-3, _ function: @escaping ([Tensor]) -> Tensor,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectDerivative(of: function, at: inputs, within: tolerance, sourceLocation: sourceLocation)
}
