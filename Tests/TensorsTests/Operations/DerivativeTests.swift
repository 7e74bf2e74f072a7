import Tensors
import TestSupport
import Testing

@Suite struct DerivativeTests {
    /// Batch 1 and 3, odd and non-square sizes, channel counts around the vector width.
    static let images: [Shape] = [[1, 3, 5, 2], [3, 2, 4, 3], [1, 7, 1, 17]]
    let random = RandomStream(seed: 7)

    private func normals(_ shape: Shape, _ stream: UInt64 = 0) -> Tensor {
        random.stream(stream).normals(shape)
    }

    /// Uniform in 0.5…1.5: away from where logarithms, roots and quotients are steep.
    private func positive(_ shape: Shape, _ stream: UInt64 = 0) -> Tensor {
        random.stream(stream).uniforms(shape) + 0.5
    }

    private func expectSlopes(
        at inputs: [Tensor], within tolerance: Double = 1e-3, _ function: @escaping ([Tensor]) -> Tensor,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        expectDerivative(of: function, at: inputs, within: tolerance, sourceLocation: sourceLocation)
    }

    static let smooth: [(String, @Sendable (Tensor) -> Tensor)] = [
        ("exp", { exp($0) }), ("sin", { sin($0) }), ("cos", { cos($0) }), ("tanh", { tanh($0) }),
        ("sigmoid", { sigmoid($0) }), ("silu", { silu($0) }), ("gelu", { gelu($0) }),
        ("softplus", { softplus($0) }),
        ("squared", { $0.squared }), ("negated", { -$0 }), ("affine", { $0.affine(scale: -2, shift: 3) }),
    ]
    static let steep: [(String, @Sendable (Tensor) -> Tensor)] = [
        ("log", { log($0) }), ("squareRoot", { $0.squareRoot }), ("reciprocal", { $0.reciprocal }),
        ("absolute", { $0.absolute }), ("relu", { relu($0) }),
    ]

    @Test(arguments: images) func `element-wise functions`(_ shape: Shape) {
        for (_, function) in Self.smooth { expectSlopes(at: [normals(shape)]) { function($0[0]) } }
        for (_, function) in Self.steep { expectSlopes(at: [positive(shape)]) { function($0[0]) } }
        for (_, function) in Self.steep.suffix(2) {
            expectSlopes(at: [-positive(shape)], within: 1e-3) { function($0[0]) * 2 + $0[0] }
        }
    }

    @Test(arguments: images) func `arithmetic of equal shapes`(_ shape: Shape) {
        let (a, b) = (normals(shape, 1), positive(shape, 2))
        expectSlopes(at: [a, b]) { $0[0] + $0[1] }
        expectSlopes(at: [a, b]) { $0[0] - $0[1] }
        expectSlopes(at: [a, b]) { $0[0] * $0[1] }
        expectSlopes(at: [a, b]) { $0[0] / $0[1] }
        expectSlopes(at: [a]) { $0[0] * $0[0] + $0[0] }
    }

    @Test(arguments: images) func `arithmetic with one value per channel`(_ shape: Shape) {
        let x = normals(shape, 1)
        for v in [positive([shape.channels], 2), positive([shape[0], shape.channels], 3)] {
            expectSlopes(at: [x, v]) { $0[0] + $0[1] }
            expectSlopes(at: [x, v]) { $0[0] - $0[1] }
            expectSlopes(at: [x, v]) { $0[0] * $0[1] }
            expectSlopes(at: [x, v]) { $0[0] / $0[1] }
        }
    }

    @Test(arguments: images) func `reductions`(_ shape: Shape) {
        let x = normals(shape)
        expectSlopes(at: [x]) { $0[0].sum() }
        expectSlopes(at: [x]) { ($0[0] * $0[0]).mean() }
        expectSlopes(at: [x]) { $0[0].spatialMean() }
    }

    @Test(arguments: [
        (1, 1, 1, 1, 1), (3, 1, 1, 1, 1), (3, 1, 2, 1, 1), (5, 2, 1, 2, 1), (3, 1, 1, 1, 2), (3, 1, 1, 2, 2),
        (7, 1, 3, 1, 1),
    ])
    func `convolution`(_ kernel: Int, _ groups: Int, _ stride: Int, _ dilation: Int, _ batch: Int) {
        let (inputs, outputs) = (2 * groups, 3 * groups)
        let x = normals([batch, 8, 7, inputs], 1)
        let w = normals([outputs, inputs / groups, kernel, kernel], 2)
        let padding = dilation * (kernel / 2)
        expectSlopes(at: [x, w, normals([outputs], 3)]) {
            $0[0].convolved(
                with: $0[1], bias: $0[2], stride: stride, padding: padding, dilation: dilation, groups: groups
            )
        }
    }

    @Test(arguments: [(1, 5), (3, 16), (1, 33)]) func `depthwise convolution`(_ batch: Int, _ channels: Int) {
        let (x, w) = (normals([batch, 5, 4, channels], 1), normals([channels, 1, 3, 3], 2))
        expectSlopes(at: [x, w, normals([channels], 3)]) {
            $0[0].convolved(with: $0[1], bias: $0[2], padding: 1, groups: channels)
        }
        expectSlopes(at: [x, w]) { $0[0].convolved(with: $0[1], padding: 1, groups: channels) }
    }

    @Test(arguments: [[1, 7], [3, 5], [2, 3, 4]] as [Shape]) func `linear`(_ shape: Shape) {
        let (x, w) = (normals(shape, 1), normals([6, shape.channels], 2))
        expectSlopes(at: [x, w, normals([6], 3)]) { $0[0].linear($0[1], bias: $0[2]) }
        expectSlopes(at: [x, w]) { $0[0].linear($0[1]) }
    }

    @Test(arguments: [[1, 3, 5, 6], [3, 2, 3, 17], [2, 1, 1, 40]] as [Shape]) func `layer norm`(
        _ shape: Shape
    ) {
        let x = normals(shape, 1)
        let vectors: Shape = [shape[0], shape.channels]
        expectSlopes(at: [x], within: 2e-3) { $0[0].layerNorm(epsilon: 1e-2) }
        expectSlopes(at: [x, normals(vectors, 2), normals(vectors, 3)], within: 2e-3) {
            $0[0].layerNorm(shift: $0[1], scale: $0[2], epsilon: 1e-2)
        }
    }

    @Test(arguments: [[1, 3, 5, 4], [3, 2, 3, 17]] as [Shape]) func `fused operations`(_ shape: Shape) {
        let (x, y, c) = (normals(shape, 1), normals(shape, 2), shape.channels)
        expectSlopes(at: [x, y, normals([shape[0], c], 3)]) { $0[0].addingGated($0[1], gate: $0[2]) }
    }

    @Test func `movement`() {
        for r in [2, 3] {
            expectSlopes(at: [normals([3, 2 * r, r, 3])]) { $0[0].pixelUnshuffled(by: r) }
            expectSlopes(at: [normals([1, 2, 3, 2 * r * r])]) { $0[0].pixelShuffled(by: r) }
        }
        let x = normals([3, 2, 3, 5])
        expectSlopes(at: [x]) { $0[0].channels(1..<4) }
        expectSlopes(at: [x]) { $0[0].samples(1..<3) }
        expectSlopes(at: [x]) { $0[0].reshaped([6, 15]) }
        expectSlopes(at: [x, normals([3, 2, 3, 2], 2)]) { .concatenateChannels([$0[1], $0[0], $0[1]]) }
        expectSlopes(at: [normals([4, 3])]) { $0[0].gatheringRows([2, 0, 2, 3]) }
    }
}
