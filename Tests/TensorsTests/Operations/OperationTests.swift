import Foundation
import TestSupport
import Testing

@testable import Tensors

@Suite struct OperationTests {
    let random = RandomStream(seed: 3)

    @Test func `a linear layer of no rows gives no rows, recorded or not`() throws {
        let (x, w, b) = (Tensor.zeros([2, 0, 3]), Tensor.zeros([5, 3]), Tensor.zeros([5]))
        #expect(x.linear(w, bias: b).shape == [2, 0, 5])
        let (weight, bias) = (w.variable, b.variable)
        let y = x.variable.linear(weight, bias: bias)
        #expect(y.shape == [2, 0, 5])
        let gradients = y.gradients()
        #expect(try #require(gradients[weight]).scalars.allSatisfy { $0 == 0 })
        #expect(try #require(gradients[bias]).scalars.allSatisfy { $0 == 0 })
    }

    @Test func `GELU and its slope keep full precision on both tails`() {
        let xs = stride(from: Float(-9), through: 9, by: 0.0037).map { $0 }
        let x = Tensor(shape: [xs.count], scalars: xs).variable
        let y = gelu(x)
        let slope = y.gradients()[x]?.scalars ?? []
        for (i, value) in xs.enumerated() {
            let v = Double(value)
            let cdf = 0.5 * erfc(-v / 2.0.squareRoot())
            let expected = v * cdf
            #expect(abs(Double(y.scalars[i]) - expected) <= 2e-6 * abs(expected) + 1e-30, "gelu(\(v))")
            let derivative = cdf + v * exp(-v * v / 2) / (2 * Double.pi).squareRoot()
            #expect(abs(Double(slope[i]) - derivative) <= 4e-7 * max(1, abs(v)), "gelu'(\(v))")
        }
    }

    @Test func `exp, sigmoid and tanh agree with double precision over their range`() {
        let xs = stride(from: Float(-87), through: 88, by: 0.113).map { $0 }
        let x = Tensor(shape: [xs.count], scalars: xs)
        let (e, s, t) = (exp(x).scalars, sigmoid(x).scalars, tanh(x).scalars)
        for (i, value) in xs.enumerated() {
            let v = Double(value)
            #expect(abs(Double(e[i]) / Foundation.exp(v) - 1) < 4e-7, "exp(\(v))")
            #expect(abs(Double(s[i]) * (1 + Foundation.exp(-v)) - 1) < 6e-7, "sigmoid(\(v))")
            #expect(
                abs(Double(t[i]) - Foundation.tanh(v)) < 2e-7 * abs(Foundation.tanh(v)) + 1e-9, "tanh(\(v))")
        }
        #expect(exp(Tensor(shape: [2], scalars: [1000, -1000])).scalars[0] == .infinity)
        #expect(
            sigmoid(Tensor(shape: [2], scalars: [1000, -1000])).scalars == [1, sigmoid(Tensor(-1000)).item])
    }

    @Test(arguments: [
        (1, 5, 7, 3, 4, 3, 1, 1), (3, 6, 4, 4, 8, 3, 2, 2), (1, 1, 1, 2, 2, 3, 1, 1),
        (2, 9, 3, 6, 6, 5, 1, 6),
    ])
    func `convolution is the sum it stands for`(
        _ n: Int, _ h: Int, _ w: Int, _ inputs: Int, _ outputs: Int, _ k: Int, _ stride: Int, _ groups: Int
    ) {
        let x = random.stream(1).normals([n, h, w, inputs])
        let weight = random.stream(2).normals([outputs, inputs / groups, k, k])
        let bias = random.stream(3).normals([outputs])
        let y = x.convolved(with: weight, bias: bias, stride: stride, padding: k / 2, groups: groups)
        let (xs, ws) = (x.scalars, weight.scalars)
        var index = 0
        for b in 0..<n {
            for oy in 0..<y.shape[1] {
                for ox in 0..<y.shape[2] {
                    for o in 0..<outputs {
                        var sum = Double(bias.scalars[o])
                        let group = o / (outputs / groups)
                        for c in 0..<inputs / groups {
                            for i in 0..<k {
                                for j in 0..<k {
                                    let (iy, ix) = (oy * stride + i - k / 2, ox * stride + j - k / 2)
                                    guard (0..<h).contains(iy), (0..<w).contains(ix) else { continue }
                                    let source =
                                        ((b * h + iy) * w + ix) * inputs + group * (inputs / groups) + c
                                    let kernel = ((o * (inputs / groups) + c) * k + i) * k + j
                                    sum += Double(xs[source]) * Double(ws[kernel])
                                }
                            }
                        }
                        #expect(abs(Double(y.scalars[index]) - sum) < 2e-5)
                        index += 1
                    }
                }
            }
        }
    }

    @Test func `packed weights follow a change in place`() {
        let x = random.normals([1, 4, 4, 16])
        let weight = random.stream(1).normals([16, 16, 3, 3])
        let before = x.convolved(with: weight, padding: 1)
        weight.assign(weight * 2)
        let after = x.convolved(with: weight, padding: 1)
        for (a, b) in zip(after.scalars, before.scalars) { #expect(abs(a - 2 * b) < 1e-4) }
    }

    @Test func `a gradient that reaches a variable by several ways is their sum`() {
        let x = random.normals([3, 5]).variable
        let y = x + x + x * x
        let gradient = y.gradients()[x]?.scalars ?? []
        for (g, v) in zip(gradient, x.scalars) { #expect(abs(g - (2 + 2 * v)) < 1e-5) }
        #expect(y.gradients()[x] == nil, "a recorded computation is consumed by its backward pass")
    }

    @Test func `a chain of thousands of operations goes back without overflowing the stack`() async {
        await Task.detached {
            let x = Tensor(1).variable
            var y = x * 1
            for _ in 0..<20_000 { y = y + 0.5 }
            #expect(y.gradients()[x]?.item == 1)
        }.value
    }

    @Test func `sums and norms do not depend on the thread count`() {
        let x = random.normals([3, 61, 47, 24])
        let (shift, scale) = (random.stream(1).normals([3, 24]), random.stream(2).normals([3, 24]))
        func run(_ threads: Int) -> [[Float]] {
            let previous = ComputeThreads.count
            ComputeThreads.setCount(threads)
            defer { ComputeThreads.setCount(previous) }
            let (v, s, k) = (x.variable, shift.variable, scale.variable)
            let y = v.layerNorm(shift: s, scale: k, epsilon: 1e-6)
            let g = y.gradients(cotangent: x)
            return [
                [x.sum().item], x.spatialMean().scalars, y.scalars, g[v]?.scalars ?? [], g[s]?.scalars ?? [],
                g[k]?.scalars ?? [],
            ]
        }
        #expect(run(1) == run(2))
        #expect(run(1) == run(3))
    }

    @Test func `independent work side by side gives the bytes of one thread`() {
        let weight = random.stream(1).normals([24, 24, 3, 3])
        let inputs = (0..<7).map { random.stream(UInt64($0)).normals([1, 9, 9, 24]) }
        func run(_ threads: Int) -> [[Float]] {
            let previous = ComputeThreads.count
            ComputeThreads.setCount(threads)
            defer { ComputeThreads.setCount(previous) }
            var results = [[Float]](repeating: [], count: inputs.count)
            results.withUnsafeMutableBufferPointer { results in
                nonisolated(unsafe) let results = results
                ComputeThreads.concurrently(inputs.count) {
                    results[$0] = inputs[$0].convolved(with: weight, padding: 1).scalars
                }
            }
            #expect(ComputeThreads.count == threads)
            return results
        }
        #expect(run(1) == run(2))
    }

    @Test func `freed memory is used again`() {
        let shape: Shape = [1, 64, 64, 37]
        weak var first: Storage?
        var pointer: UnsafeMutableRawPointer?
        do {
            let x = Tensor.zeros(shape)
            (first, pointer) = (x.storage, x.storage.pointer)
        }
        #expect(first == nil)
        let again = (0..<64).map { _ in Tensor.zeros(shape) }
        #expect(again.contains { $0.storage.pointer == pointer })
        #expect(again.allSatisfy { Int(bitPattern: $0.storage.pointer) % 64 == 0 })
    }
}

@Suite struct ConcurrencyTests {
    @Test(arguments: [(17, 24, 40, 3), (33, 80, 96, 3), (20, 64, 64, 1)])
    func `one convolution run by many threads at once gives each its own result`(
        _ size: Int, _ inputs: Int, _ outputs: Int, _ kernel: Int
    ) async {
        let random = RandomStream(seed: 4)
        let weight = random.stream(1).normals([outputs, inputs, kernel, kernel])
        let images = (0..<8).map { random.stream(UInt64(10 + $0)).normals([1, size, size, inputs]) }
        func convolve(_ image: Tensor) -> [Float] {
            ComputeThreads.setCount(1)
            return image.convolved(with: weight, padding: kernel / 2).scalars
        }
        let alone = await Task.detached { images.map(convolve) }.value
        for _ in 0..<6 {
            let together = await withTaskGroup(of: (Int, [Float]).self) { group in
                for (index, image) in images.enumerated() { group.addTask { (index, convolve(image)) } }
                var results = [[Float]](repeating: [], count: images.count)
                for await (index, result) in group { results[index] = result }
                return results
            }
            #expect(together == alone)
        }
    }
}
