import Synchronization
import Testing

@testable import Tensors

@Suite struct ReplayedFunctionTests {
    private static let shape: Shape = [2, 9, 8, 16]

    private static func input(_ seed: UInt64, _ shape: Shape = shape) -> Tensor {
        RandomStream(seed: seed).normals(shape)
    }

    /// Calls with ever new inputs, enough to survey, to record and to replay, against the function itself.
    private func expectSameBits(
        _ name: String, _ shapes: [Shape], isReplayed: Bool = true,
        _ body: @escaping @Sendable ([Tensor]) -> [Tensor]
    ) {
        let replayed = ReplayedFunction(body)
        for call in 0..<5 {
            let inputs = shapes.enumerated().map { Self.input(UInt64(100 * call + $0), $1) }
            let (found, expected) = (replayed(inputs), body(inputs))
            #expect(found.count == expected.count)
            for (a, b) in zip(found, expected) { #expect(a.hasSameBits(as: b), "\(name), call \(call)") }
        }
        #expect(replayed.replayCount == (isReplayed ? 3 : 0), "\(name)")
    }

    private struct Operation: Sendable, CustomTestStringConvertible {
        var name: String
        var shapes: [Shape] = [shape]
        var body: @Sendable ([Tensor]) -> [Tensor]
        var testDescription: String { name }
    }

    private static let operations: [Operation] = {
        let dense = input(1, [32, 16, 3, 3])
        let pointwise = input(2, [24, 16, 1, 1])
        let half = Tensor(
            shape: pointwise.shape, storage: pointwise.storage, productPrecision: .bfloat16)
        let depthwise = input(3, [16, 1, 3, 3])
        let bias = input(4, [32])
        let matrix = input(5, [20, 16])
        let vector = input(6, [16])
        let enlarging = input(7, [16, 8, 2, 2])
        let narrowing = input(8, [16, 24, 1, 1])
        let square = input(9, [16, 16])
        let projection = input(10, [16, 16, 1, 1])
        let rows = input(11, [5, 9])
        let columns = input(12, [4, 8])
        let tokens: Shape = [2, 36, 32]
        let vectors: Shape = [2, 16]
        return [
            Operation(name: "element-wise") { x in [gelu(x[0]) * sigmoid(x[0]) + silu(-x[0])] },
            Operation(name: "constants") { x in
                [x[0] * Tensor(shape: [16], scalars: (0..<16).map(Float.init)) + Tensor.zeros(shape)]
            },
            Operation(name: "dense convolution") { x in
                [x[0].convolved(with: dense, bias: bias, padding: 1, activation: .relu)]
            },
            Operation(name: "Winograd", shapes: [[1, 16, 16, 16]]) { x in
                [x[0].convolved(with: dense, bias: bias, padding: 1, activation: .gelu)]
            },
            Operation(name: "strided convolution") { x in [x[0].convolved(with: dense, stride: 2)] },
            Operation(name: "depthwise convolution") { x in
                [x[0].convolved(with: depthwise, padding: 1, groups: 16, activation: .gelu)]
            },
            Operation(name: "transposed convolution") { x in
                [x[0].transposedConvolved(with: enlarging, stride: 2)]
            },
            Operation(name: "bfloat16 product") { x in [x[0].convolved(with: half)] },
            Operation(name: "few rows", shapes: [[3, 16]]) { x in [x[0].linear(matrix)] },
            Operation(name: "many rows", shapes: [[64, 16]]) { x in [x[0].linear(matrix)] },
            Operation(name: "norms", shapes: [shape, vectors, vectors]) { x in
                [
                    x[0].layerNorm(shift: x[1], scale: x[2], epsilon: 1e-6),
                    x[0].groupNorm(groups: 4, weight: vector, bias: vector, epsilon: 1e-5),
                    x[0].rmsNorm(epsilon: 1e-5),
                ]
            },
            Operation(name: "feed-forward", shapes: [shape, vectors, vectors, vectors]) { x in
                [
                    x[0].addingFeedForward(
                        GatedFeedForward(
                            normalizedBy: RowNormalization(shift: x[1], scale: x[2], epsilon: 1e-6),
                            widen: PointwiseWeights(weight: pointwise, bias: nil), activation: .gelu,
                            narrow: PointwiseWeights(weight: narrowing, bias: vector), gate: x[3]))
                ]
            },
            Operation(name: "attended product", shapes: [shape, shape, vectors]) { x in
                [
                    x[0].addingAttended(
                        x[1], depthwise: (depthwise, nil), activation: .gelu,
                        attention: ChannelAttention(
                            weight: square, bias: nil, isSigmoid: true),
                        project: PointwiseWeights(weight: projection, bias: nil), gate: x[2])
                ]
            },
            Operation(name: "normalised product", shapes: [shape, vectors, vectors]) { x in
                [
                    x[0].convolved(
                        normalizedBy: RowNormalization(shift: x[1], scale: x[2], epsilon: 1e-6),
                        with: PointwiseWeights(weight: half, bias: nil))
                ]
            },
            Operation(name: "movement") { x in
                let up = x[0].pixelShuffled(by: 2)
                let joined = Tensor.concatenateChannels([x[0], x[0].channels(0..<3)])
                return [
                    up.pixelUnshuffled(by: 2), joined, Tensor.concatenateSamples([x[0], x[0]]),
                    x[0].padded(bottom: 3, right: 2, mode: .reflect).cropped(rows: 1..<5, columns: 2..<6),
                    x[0].reshaped([18, 8, 16]).permuted([1, 0, 2]), x[0].repeatedSamples(3),
                    x[0].maxPooled(size: 3, stride: 2, usesCeiling: true), x[0].spatialMean(),
                    x[0].localMean(kernelHeight: 3, kernelWidth: 3),
                    x[0].reshaped([2, 72, 16]).replacingTokens(
                        [[1, 5], [0, 7]],
                        with: x[0].samples(0..<1)
                            .reshaped([72, 16]).gatheringRows([3, 1, 4, 1])),
                ]
            },
            Operation(name: "attention", shapes: [tokens, tokens, tokens]) { x in
                [
                    x[0].attending(to: x[1], x[2], heads: 4), x[0].softmax(),
                    exp(x[0]).dividingAttention(to: exp(x[1]), x[2], heads: 4),
                    x[0].subtractingAttention(to: x[1], x[2], heads: 4),
                ]
            },
            Operation(name: "separable map", shapes: [[2, 9, 8, 3]]) { x in
                [x[0].separablyMapped(rows: rows, columns: columns)]
            },
            Operation(name: "wide separable map") { x in
                [x[0].separablyMapped(rows: rows, columns: columns)]
            },
        ]
    }()

    @Test(arguments: operations)
    private func `a replay has the bits of the operations themselves`(operation: Operation) {
        expectSameBits(operation.name, operation.shapes, operation.body)
    }

    @Test func `a function that looks at values is called as it is`() {
        expectSameBits("decides by a value", [Self.shape], isReplayed: false) { x in
            [x[0].scalars[0] > 0 ? x[0] + 1 : x[0] * 2]
        }
        expectSameBits("computes outside of tensors", [Self.shape], isReplayed: false) { x in
            let y = gelu(x[0])
            return [Tensor(shape: y.shape, scalars: y.scalars.map { $0 + 1 })]
        }
        expectSameBits("draws at random", [Self.shape], isReplayed: false) { x in
            [x[0] + Self.input(13)]
        }
        expectSameBits("adds up", [Self.shape], isReplayed: false) { x in
            [x[0] * Float(Tensor.dot(x[0], x[0]))]
        }
    }

    @Test func `a function that writes in place is called as it is`() {
        expectSameBits("assigns", [Self.shape], isReplayed: false) { x in
            let y = Tensor.zeros(Self.shape)
            y.assign(gelu(x[0]))
            return [y + x[0]]
        }
    }

    @Test func `work on other threads, which nothing records, is noticed`() {
        expectSameBits("threads", [Self.shape], isReplayed: false) { x in
            [.concatenateSamples(ComputeThreads.concurrentMap(2) { gelu(x[0].samples($0..<$0 + 1)) })]
        }
    }

    @Test func `weights that are computed on the way are packed anew in every call`() {
        expectSameBits("weights from an input", [Self.shape, [32, 16, 3, 3]], isReplayed: false) { x in
            [x[0].convolved(with: x[1] * 2, padding: 1)]
        }
        expectSameBits("a sample's own weights", [Self.shape, [2, 16, 1, 3, 3]]) { x in
            [x[0].convolved(withEach: x[1], padding: 1, groups: 16)]
        }
    }

    @Test func `weights that changed between calls are the ones that count`() {
        let weight = Self.input(20, [32, 16, 3, 3])
        let replayed = ReplayedFunction { [$0[0].convolved(with: weight, padding: 1)] }
        let x = Self.input(21)
        for _ in 0..<3 { _ = replayed([x]) }
        weight.assign(Self.input(22, weight.shape))
        let expected = x.convolved(with: weight.copied, padding: 1)
        #expect(replayed([x])[0].hasSameBits(as: expected))
        #expect(replayed([x])[0].hasSameBits(as: expected))
        #expect(replayed.replayCount == 2)
    }

    @Test func `results of one call are not overwritten by the next`() {
        let replayed = ReplayedFunction { [gelu($0[0])] }
        let inputs = (0..<6).map { Self.input(UInt64($0)) }
        let results = inputs.map { replayed([$0])[0] }
        for (input, result) in zip(inputs, results) { #expect(result.hasSameBits(as: gelu(input))) }
    }

    @Test func `an input or a constant may be the result`() {
        let constant = Self.input(30)
        expectSameBits("through", [Self.shape]) { [$0[0], constant, $0[0].samples(1..<2)] }
    }

    @Test func `every shape and thread count has its own recording`() {
        let replayed = ReplayedFunction { [gelu($0[0]).spatialMean()] }
        for call in 0..<8 {
            let input = Self.input(UInt64(call), call % 2 == 0 ? Self.shape : [1, 5, 5, 16])
            #expect(replayed([input])[0].hasSameBits(as: gelu(input).spatialMean()))
        }
        #expect(replayed.replayCount == 4)
    }

    @Test func `threads that call at the same time do not meet`() {
        let weight = Self.input(40, [16, 16, 3, 3])
        let body: @Sendable ([Tensor]) -> [Tensor] = {
            [gelu($0[0].convolved(with: weight, padding: 1)) + $0[0]]
        }
        let replayed = ReplayedFunction(body)
        let results = ComputeThreads.concurrentMap(64) { replayed([Self.input(UInt64($0))])[0] }
        for (index, result) in results.enumerated() {
            let expected = ComputeThreads.concurrentMap(1) { _ in body([Self.input(UInt64(index))])[0] }[0]
            #expect(result.hasSameBits(as: expected))
        }
        #expect(replayed.replayCount > 32)
    }

    @Test func `caches that fill in the first run put the recording off`() {
        let cache = Mutex<Tensor?>(nil)
        let replayed = ReplayedFunction { x in
            let table = cache.withLock { known -> Tensor in
                if let known { return known }
                known = gelu(Self.input(50))
                return known ?? x[0]
            }
            return [x[0] + table]
        }
        for call in 0..<8 {
            let x = Self.input(UInt64(call))
            #expect(replayed([x])[0].hasSameBits(as: x + gelu(Self.input(50))))
        }
        #expect(replayed.replayCount > 0)
    }
}
