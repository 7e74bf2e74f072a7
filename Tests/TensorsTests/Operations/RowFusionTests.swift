import TestSupport
import Testing

@testable import Tensors

/// Pointwise convolutions with what stands around them, against the same made of single operations.
@Suite struct RowFusionTests {
    /// Images of less than a block, of several blocks with a rest, and batches of which several fill one.
    static let images: [Shape] = [
        [1, 3, 5, 16], [2, 17, 19, 32], [37, 2, 4, 16], [1, 1, 1, 16], [2, 16, 33, 96],
    ]

    private let random = RandomStream(seed: 21)

    private func normals(_ shape: Shape, _ stream: UInt64) -> Tensor { random.stream(stream).normals(shape) }

    /// Weights whose results have about the deviation of the inputs.
    private func weights(_ outputs: Int, _ inputs: Int, _ stream: UInt64) -> Tensor {
        normals([outputs, inputs, 1, 1], stream) * (1 / Float(inputs).squareRoot())
    }

    /// Vectors for each sample, or for all of them.
    private func vectors(_ shape: Shape, isShared: Bool, _ stream: UInt64) -> Tensor {
        normals(isShared ? [shape.channels] : [shape[0], shape.channels], stream)
    }

    private func norm(_ shift: Tensor, _ scale: Tensor) -> RowNormalization {
        shift.shape.rank == 1
            ? RowNormalization(weight: scale, bias: shift, epsilon: 1e-5)
            : RowNormalization(shift: shift, scale: scale, epsilon: 1e-5)
    }

    /// Values and all gradients of both, to `tolerance` of each tensor's largest scalar.
    private func expectSame(
        _ inputs: [Tensor], within tolerance: Float = 2e-5, _ fused: ([Tensor]) -> Tensor,
        _ plain: ([Tensor]) -> Tensor, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        func evaluate(_ function: ([Tensor]) -> Tensor) -> [Tensor] {
            let variables = inputs.map(\.variable)
            let y = function(variables)
            let gradients = y.gradients(cotangent: normals(y.shape, 99))
            return [y] + variables.map { gradients[$0] ?? .zeros($0.shape) }
        }
        let results = evaluate(fused)
        for (index, (a, b)) in zip(results, evaluate(plain)).enumerated() {
            let size = max(1e-3, b.scalars.map(abs).max() ?? 0)
            let difference = zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? 0
            #expect(
                a.shape == b.shape && difference <= tolerance * size,
                "tensor \(index) of \(results.count): \(difference) of \(size)",
                sourceLocation: sourceLocation)
        }
        // Where nothing is recorded, other kernels run.
        let (unrecorded, y) = (fused(inputs), results[0])
        let difference = zip(unrecorded.scalars, y.scalars).map { abs($0 - $1) }.max() ?? 0
        #expect(
            difference <= tolerance * max(1e-3, y.scalars.map(abs).max() ?? 0), "unrecorded: \(difference)",
            sourceLocation: sourceLocation)
    }

    @Test(arguments: images, [false, true])
    func `a convolution of normalised rows is the norm and the convolution`(_ shape: Shape, _ isShared: Bool)
    {
        let (shift, scale) = (
            vectors(shape, isShared: isShared, 1), vectors(shape, isShared: isShared, 2)
        )
        let inputs = [normals(shape, 3), shift, scale, weights(48, shape.channels, 4), normals([48], 5)]
        expectSame(inputs) {
            $0[0].convolved(
                normalizedBy: norm($0[1], $0[2]), with: PointwiseWeights(weight: $0[3], bias: $0[4]))
        } _: {
            norm($0[1], $0[2])($0[0]).convolved(with: $0[3], bias: $0[4])
        }
    }

    @Test(arguments: images, [ConvolutionActivation.gelu, .simpleGate])
    func `a feed-forward is its parts one after the other`(
        _ shape: Shape, _ activation: ConvolutionActivation
    ) {
        for isShared in [false, true] {
            let (c, hidden) = (shape.channels, 64)
            let fed = activation == .simpleGate ? hidden / 2 : hidden
            let inputs = [
                normals(shape, 1), vectors(shape, isShared: isShared, 2),
                vectors(shape, isShared: isShared, 3), weights(hidden, c, 4), normals([hidden], 5),
                weights(c, fed, 6), normals([c], 7), vectors(shape, isShared: isShared, 8),
            ]
            expectSame(inputs) {
                $0[0].addingFeedForward(
                    GatedFeedForward(
                        normalizedBy: norm($0[1], $0[2]), widen: PointwiseWeights(weight: $0[3], bias: $0[4]),
                        activation: activation, narrow: PointwiseWeights(weight: $0[5], bias: $0[6]),
                        gate: $0[7]))
            } _: {
                let h = norm($0[1], $0[2])($0[0]).convolved(with: $0[3], bias: $0[4]).activated(activation)
                return $0[0].addingBranch(h.convolved(with: $0[5], bias: $0[6]), gate: $0[7])
            }
        }
    }

    @Test(arguments: images, [ConvolutionActivation.gelu, .simpleGate])
    func `a mixer's second half is its parts one after the other`(
        _ shape: Shape, _ activation: ConvolutionActivation
    ) {
        for isShared in [false, true] {
            let (c, inner) = (shape.channels, activation == .gelu ? 48 : 32)
            let mixed = activation == .gelu ? inner : 2 * inner
            let inputs = [
                normals(shape, 1), normals([shape[0], shape[1], shape[2], mixed], 2),
                normals([mixed, 1, 3, 3], 3) * 0.3, normals([mixed], 4), weights(inner, inner, 5),
                normals([inner], 6), weights(c, inner, 7), normals([c], 8),
                vectors(shape, isShared: isShared, 9),
            ]
            expectSame(inputs) {
                $0[0].addingAttended(
                    $0[1], depthwise: ($0[2], $0[3]), activation: activation,
                    attention: ChannelAttention(
                        weight: $0[4].reshaped([inner, inner]), bias: $0[5], isSigmoid: activation == .gelu),
                    project: PointwiseWeights(weight: $0[6], bias: $0[7]), gate: $0[8])
            } _: {
                let u = $0[1].convolved(with: $0[2], bias: $0[3], padding: 1, groups: mixed)
                    .activated(activation)
                let inner = u.spatialMean().linear($0[4].reshaped([inner, inner]), bias: $0[5])
                let attended = u * (activation == .gelu ? sigmoid(inner) : inner)
                return $0[0].addingBranch(attended.convolved(with: $0[6], bias: $0[7]), gate: $0[8])
            }
        }
    }

    /// A mixer's second half and the feed-forward behind it, in one operation or in two.
    private func half(
        _ x: Tensor, _ mixed: Tensor, _ v: [Tensor], _ activation: ConvolutionActivation,
        precision: ProductPrecision = .float32, isJoined: Bool
    ) -> Tensor {
        let (c, inner) = (x.shape.channels, activation == .gelu ? mixed.shape[3] : mixed.shape[3] / 2)
        func pointwise(_ outputs: Int, _ inputs: Int, _ stream: UInt64) -> PointwiseWeights {
            PointwiseWeights(
                weight: weights(outputs, inputs, stream).multiplying(in: precision),
                bias: normals([outputs], stream + 1))
        }
        let feed = GatedFeedForward(
            normalizedBy: norm(v[0], v[1]), widen: pointwise(64, c, 31), activation: activation,
            narrow: pointwise(c, activation == .simpleGate ? 32 : 64, 33), gate: v[2])
        let y = x.addingAttended(
            mixed, depthwise: (normals([mixed.shape[3], 1, 3, 3], 35) * 0.3, nil), activation: activation,
            attention: ChannelAttention(
                weight: weights(inner, inner, 36).reshaped([inner, inner]), bias: nil,
                isSigmoid: activation == .gelu),
            project: pointwise(c, inner, 37), gate: v[3], feed: isJoined ? feed : nil)
        return isJoined ? y : y.addingFeedForward(feed)
    }

    @Test(arguments: images, [ConvolutionActivation.gelu, .simpleGate])
    func `a mixer's second half takes the feed-forward with it`(
        _ shape: Shape, _ activation: ConvolutionActivation
    ) {
        for (isShared, precision) in [
            (false, ProductPrecision.float32), (true, .float32), (false, .bfloat16),
        ]
        where precision.isAvailable {
            let inputs =
                [normals(shape, 1), normals([shape[0], shape[1], shape[2], 32], 2)]
                + (3..<7).map { vectors(shape, isShared: isShared, $0) }
            func run(_ values: [Tensor], isJoined: Bool) -> Tensor {
                half(
                    values[0], values[1], Array(values[2...]), activation, precision: precision,
                    isJoined: isJoined)
            }
            expectSame(inputs, within: precision == .float32 ? 2e-5 : 4e-3) {
                run($0, isJoined: true)
            } _: {
                run($0, isJoined: false)
            }
            // Blocks are not the same ones in one operation as in two, and no bit tells.
            #expect(run(inputs, isJoined: true).hasSameBits(as: run(inputs, isJoined: false)))
            // More vectors of means than this go through the library, which sums in another order.
            guard shape[0] <= 16 else { continue }
            let apart = (0..<shape[0]).map { sample in
                run(
                    inputs.map { $0.shape.rank == 1 ? $0 : $0.samples(sample..<sample + 1) }, isJoined: true)
            }
            #expect(run(inputs, isJoined: true).hasSameBits(as: .concatenateSamples(apart)))
        }
    }

    @Test func `derivatives are those of the operations`() {
        let shape: Shape = [2, 3, 5, 16]
        func check(_ inputs: [Tensor], _ function: @escaping ([Tensor]) -> Tensor) {
            expectDerivative(of: function, at: inputs, within: 2e-3, elements: 16)
        }
        let vectors = (1...3).map { normals([2, 16], $0) }
        check([normals(shape, 4), vectors[0], vectors[1], weights(32, 16, 5), weights(16, 32, 6), vectors[2]])
        {
            $0[0].addingFeedForward(
                GatedFeedForward(
                    normalizedBy: RowNormalization(shift: $0[1], scale: $0[2], epsilon: 1e-2),
                    widen: PointwiseWeights(weight: $0[3], bias: nil), activation: .gelu,
                    narrow: PointwiseWeights(weight: $0[4], bias: nil), gate: $0[5]))
        }
        check([normals(shape, 4), normals(shape, 5), weights(16, 16, 6), weights(16, 16, 7), vectors[2]]) {
            $0[0].addingAttended(
                $0[1], isGELU: true,
                attention: ChannelAttention(weight: $0[2].reshaped([16, 16]), bias: nil, isSigmoid: true),
                project: PointwiseWeights(weight: $0[3], bias: nil), gate: $0[4])
        }
    }

    @Test(.enabled(if: ProductPrecision.bfloat16.isAvailable))
    func `in bfloat16 operands are rounded where the single operations round them`() {
        let (shape, c, hidden): (Shape, Int, Int) = ([2, 17, 19, 32], 32, 64)
        let inputs = [
            normals(shape, 1), normals([2, c], 2), normals([2, c], 3), weights(hidden, c, 4),
            normals([hidden], 5), weights(c, hidden, 6), normals([c], 7), normals([2, c], 8),
        ]
        // What one rounding of an intermediate result to the other side does, on single scalars.
        expectSame(inputs, within: 4e-3) {
            $0[0].addingFeedForward(
                GatedFeedForward(
                    normalizedBy: norm($0[1], $0[2]),
                    widen: PointwiseWeights(weight: $0[3].multiplying(in: .bfloat16), bias: $0[4]),
                    activation: .gelu,
                    narrow: PointwiseWeights(weight: $0[5].multiplying(in: .bfloat16), bias: $0[6]),
                    gate: $0[7]))
        } _: {
            let h = norm($0[1], $0[2])($0[0])
                .convolved(with: $0[3].multiplying(in: .bfloat16), bias: $0[4]).activated(.gelu)
            return $0[0].addingBranch(
                h.convolved(with: $0[5].multiplying(in: .bfloat16), bias: $0[6]), gate: $0[7])
        }
    }

    @Test func `results have the same bits on any number of threads and in any batch`() {
        let (c, hidden) = (32, 64)
        let (w1, w2, b) = (weights(hidden, c, 1), weights(c, hidden, 2), normals([hidden], 3))
        func run(_ x: Tensor) -> Tensor {
            let n = x.shape[0]
            let vector = Tensor(repeating: 0.3, shape: [n, c])
            return x.addingFeedForward(
                GatedFeedForward(
                    normalizedBy: RowNormalization(shift: vector, scale: vector, epsilon: 1e-6),
                    widen: PointwiseWeights(weight: w1, bias: b), activation: .gelu,
                    narrow: PointwiseWeights(weight: w2, bias: nil), gate: vector))
        }
        for size in [3, 23] {
            let x = normals([5, size, size, c], 4)
            let threads = ComputeThreads.count
            defer { ComputeThreads.setCount(threads) }
            let all = run(x)
            ComputeThreads.setCount(1)
            #expect(run(x).hasSameBits(as: all), "\(size)×\(size) on one thread")
            let apart = Tensor.concatenateSamples((0..<5).map { run(x.samples($0..<$0 + 1)) })
            #expect(apart.hasSameBits(as: all), "\(size)×\(size) one by one")
        }
    }

    @Test func `weights that are integers or watched go through the single operations`() {
        let watched = ObservedInputs()
        let x = normals([1, 4, 4, 16], 1)
        let vector = normals([16], 2)
        _ = x.addingFeedForward(
            GatedFeedForward(
                normalizedBy: RowNormalization(weight: vector, bias: vector, epsilon: 1e-5),
                widen: PointwiseWeights(weight: weights(32, 16, 3).playing(.observed(watched)), bias: nil),
                activation: .gelu, narrow: PointwiseWeights(weight: weights(16, 32, 4), bias: nil),
                gate: vector))
        #expect(watched.rowsPerCall == 16)
    }

    @Test func `a product that was prepared is prepared anew when its weights change`() {
        let (x, vector) = (normals([1, 9, 9, 32], 1), normals([32], 2))
        let (w, other) = (weights(48, 32, 3), weights(48, 32, 4))
        func run(_ w: Tensor) -> Tensor {
            x.convolved(
                normalizedBy: RowNormalization(weight: vector, bias: vector, epsilon: 1e-5),
                with: PointwiseWeights(weight: w, bias: nil))
        }
        let first = run(w)
        #expect(run(w).hasSameBits(as: first))
        w.assign(other)
        #expect(run(w).hasSameBits(as: run(other.copied)))
        #expect(!run(w).hasSameBits(as: first))
    }

    @Test func `a few rows give what each gives alone, whatever their number`() {
        for (inputs, outputs) in [(48, 37), (7, 3), (100, 64)] {
            let (x, w, b) = (normals([16, inputs], 1), normals([outputs, inputs], 2), normals([outputs], 3))
            let all = x.linear(w, bias: b)
            for count in [1, 2, 3, 5, 9] {
                let some = x.samples(0..<count).linear(w, bias: b)
                #expect(some.hasSameBits(as: all.samples(0..<count)), "\(count) rows of \(inputs)")
            }
            let recorded = x.variable.linear(w, bias: b)
            let difference = zip(all.scalars, recorded.scalars).map { abs($0 - $1) }.max() ?? 1
            #expect(difference < 1e-4, "\(inputs) inputs: \(difference)")
        }
    }
}
