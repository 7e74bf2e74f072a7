import Testing

@testable import Tensors

/// Products of 8-bit integers.
@Suite(.enabled(if: ProductRole.hasIntegerProducts)) struct IntegerProductTests {
    private func normals(_ shape: Shape, seed: UInt64) -> Tensor { RandomStream(seed: seed).normals(shape) }

    private func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
        zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? .infinity
    }

    /// What the weights make of inputs like these.
    private func quantized(_ weights: Tensor, for x: Tensor, isPadded: Bool) throws -> QuantizedWeights {
        let inputs = ObservedInputs()
        inputs.record(x, isPadded: isPadded)
        return try #require(inputs.quantized(weights))
    }

    /// x as its integers say it.
    private func rounded(_ x: Tensor, _ weights: QuantizedWeights) -> Tensor {
        let factors = weights.channelFactors
        let scalars = x.scalars.enumerated().map { place, value in
            let factor = factors[place % factors.count]
            return factor * weights.input.rounded(value / factor)
        }
        return Tensor(shape: x.shape, scalars: scalars)
    }

    @Test(arguments: [(1, 1, false), (3, 1, false), (3, 2, false), (3, 1, true), (5, 1, true)])
    func `a convolution is that of the numbers which the integers stand for`(
        _ kernel: Int, _ stride: Int, _ isRectified: Bool
    ) throws {
        var x = normals([2, 9, 8, 24], seed: 1)
        if isRectified { x = relu(x) }
        let (w, bias) = (normals([40, 24, kernel, kernel], seed: 2) * 0.1, normals([40], seed: 3))
        let weights = try quantized(w, for: x, isPadded: kernel > 1)
        #expect(weights.input.isSigned == (kernel > 1 && !isRectified))
        func convolved(_ x: Tensor, _ w: Tensor, _ bias: Tensor) -> Tensor {
            x.convolved(with: w, bias: bias, stride: stride, padding: kernel / 2, activation: .gelu)
        }
        let result = convolved(x, Tensor(weights), bias)
        let corrected = bias + Tensor(shape: [40], scalars: weights.corrections)
        #expect(largestDifference(result, convolved(rounded(x, weights), weights.values, corrected)) < 2e-4)
        let exact = convolved(x, w, bias)
        #expect(result.scalars != exact.scalars, "nothing was rounded")
        #expect(largestDifference(result, exact) < 0.06 * Float(kernel))
    }

    @Test func `a linear layer likewise, its zero anywhere`() throws {
        let (x, w) = (normals([50, 32], seed: 1) + 2, normals([48, 32], seed: 2))
        let weights = try quantized(w, for: x, isPadded: false)
        #expect(!weights.input.isSigned && weights.input.zeroPoint > 0)
        let result = x.linear(Tensor(weights))
        let corrections = Tensor(shape: [48], scalars: weights.corrections)
        #expect(largestDifference(result, rounded(x, weights).linear(weights.values) + corrections) < 2e-4)
    }

    @Test func `rows beside a row and threads change no bit`() throws {
        let x = normals([6, 8, 8, 32], seed: 4)
        let w = Tensor(try quantized(normals([32, 32, 3, 3], seed: 5), for: x, isPadded: true))
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        let whole = x.convolved(with: w, padding: 1)
        for count in 1...2 {
            ComputeThreads.setCount(count)
            #expect(x.samples(3..<4).convolved(with: w, padding: 1).hasSameBits(as: whole.samples(3..<4)))
        }
    }

    @Test func `gradients are those of the numbers`() throws {
        let x = normals([1, 4, 4, 16], seed: 6).variable
        let weights = try quantized(normals([16, 16, 1, 1], seed: 7), for: x.detached, isPadded: false)
        let cotangent = normals([1, 4, 4, 16], seed: 8)
        let gradient = x.convolved(with: Tensor(weights)).gradients(cotangent: cotangent)[x]
        let expected = x.convolved(with: weights.values).gradients(cotangent: cotangent)[x]
        #expect(try #require(gradient).hasSameBits(as: try #require(expected)))
    }
}

/// What is learned of inputs.
@Suite struct ObservedInputsTests {
    private let weights = RandomStream(seed: 1).normals([20, 16, 1, 1])

    private func observed(_ tensors: [Tensor], isPadded: Bool = false) -> ObservedInputs {
        let inputs = ObservedInputs()
        for tensor in tensors { inputs.record(tensor, isPadded: isPadded) }
        return inputs
    }

    @Test func `nothing, zeros and what is not finite give no integers`() {
        #expect(observed([]).quantized(weights) == nil)
        #expect(observed([.zeros([4, 16])]).quantized(weights) == nil)
        for value in [Float.nan, .infinity] {
            let x = Tensor(shape: [1, 16], scalars: [value] + Array(repeating: 1, count: 15))
            #expect(observed([x, Tensor(repeating: 1, shape: [4, 16])]).quantized(weights) == nil)
        }
    }

    @Test func `a rare extreme makes all other inputs as coarse as it counts`() throws {
        var scalars = RandomStream(seed: 2).normals([8000, 16]).scalars
        func scale(tailWeight: Double) throws -> Float {
            let inputs = observed([Tensor(shape: [8000, 16], scalars: scalars)])
            return try #require(inputs.quantized(weights, tailWeight: tailWeight)).input.scale
        }
        let plain = try scale(tailWeight: 1)
        // A value that no sample of the calls' vectors meets.
        scalars[16 + 5] = 100
        #expect(try scale(tailWeight: 1e-4) < 3 * plain)
        #expect(try scale(tailWeight: 1) > 3 * plain)
    }

    @Test func `channels of very different sizes keep their precision`() throws {
        let sizes = (0..<16).map { Float($0 < 8 ? 1 : 0.02) }
        let x = RandomStream(seed: 3).normals([500, 16]) * Tensor(shape: [16], scalars: sizes)
        let balanced = weights.reshaped([20, 16]) / Tensor(shape: [16], scalars: sizes)
        let learned = try #require(observed([x]).quantized(balanced))
        let exact = x.linear(balanced)
        let error = (x.linear(Tensor(learned)) - exact).scalars.reduce(0) { $0 + $1 * $1 }
        let size = exact.scalars.reduce(0) { $0 + $1 * $1 }
        // One scale for all channels would leave about a hundred times as much.
        #expect(error < 3e-4 * size)
    }

    @Test func `the order of calls does not matter`() throws {
        let parts = (0..<3).map { RandomStream(seed: 10 + UInt64($0)).normals([40, 16]) }
        let a = try #require(observed(parts).quantized(weights))
        let b = try #require(observed(parts.reversed()).quantized(weights))
        #expect(a.integers == b.integers && a.input == b.input)
    }

    @Test func `vectors are counted for each call`() {
        #expect(observed([]).rowsPerCall == 0)
        #expect(observed([.zeros([2, 5, 5, 16]), .zeros([10, 16])]).rowsPerCall == 30)
    }
}
