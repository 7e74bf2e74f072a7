import Layers
import Tensors

extension BenchmarkCase {
    private static let sides = [16, 32, 64, 128]
    private static let (width, heads) = (768, 12)

    /// LINA's mixer: division form, depthwise convolution, gates on keys and values.
    static var linearAttention: [BenchmarkCase] {
        sides.flatMap { side in
            let core = 2 * width / heads + 25
            return [false, true].map { isTraining in
                attention("linear", side: side, core: core, isTraining: isTraining) { scope in
                    var linear = LinearAttentionConfiguration(heads: heads)
                    (linear.locality, linear.gate) = (.depthwise, .keysAndValues)
                    linear.gateTable = GateTable(height: side, width: side)
                    return LinearAttention(scope, width: width, linear)
                }
            }
        }
    }

    static var softmaxAttention: [BenchmarkCase] {
        sides.flatMap { side in
            [false, true].map { isTraining in
                attention("softmax", side: side, core: 2 * side * side, isTraining: isTraining) {
                    SoftmaxAttention($0, width: width, heads: heads)
                }
            }
        }
    }

    /// One mixer with its projections on one sequence: forward, or forward and backward.
    /// - Parameter core: multiply–accumulates for each channel of a token, beside the projections'.
    private static func attention(
        _ name: String, side: Int, core: Int, isTraining: Bool,
        make: @escaping @Sendable (Scope) -> any TokenMixer
    ) -> BenchmarkCase {
        let count = side * side
        let operations = Double(count * width) * Double(4 * width + core)
        return BenchmarkCase(
            name:
                "\(name) attention, \(count) tokens, width \(width), \(isTraining ? "training" : "forward")",
            imageCount: 1, multiplyAccumulates: (isTraining ? 3 : 1) * operations
        ) {
            let store = ParameterStore(.initialized(seed: 1), isTracked: isTraining)
            let mixer = make(store.scope)
            let tokens = RandomStream(seed: 5).normals([1, count, width])
            let layout = TokenLayout(grid: TokenGrid(side, side))
            return {
                let input = isTraining ? tokens.variable : tokens
                let result = mixer(input, layout: layout, rotation: nil)
                if isTraining { _ = result.gradients(cotangent: tokens) }
            }
        }
    }
}
