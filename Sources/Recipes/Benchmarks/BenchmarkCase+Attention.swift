import Layers
import Tensors

extension BenchmarkCase {
    private static let grids = [16, 32, 64, 128].map { TokenGrid($0, $0) }
    private static let (width, heads) = (768, 12)

    static var linearAttention: [BenchmarkCase] {
        grids.flatMap { grid in [false, true].map { linearAttention(grid, isTraining: $0) } }
    }

    /// The two sizes that other programs are compared at.
    static func comparedAttention(_ precision: ProductPrecision) -> [BenchmarkCase] {
        [TokenGrid(32, 32), TokenGrid(64, 64)].flatMap { grid in
            [false, true].map { linearAttention(grid, isTraining: $0, precision) }
        }
    }

    static var softmaxAttention: [BenchmarkCase] {
        grids.flatMap { grid in [false, true].map { softmaxAttention(grid, isTraining: $0) } }
    }

    /// LINA's mixer: division form, depthwise convolution, gates on keys and values.
    static func linearAttention(
        _ grid: TokenGrid, isTraining: Bool, _ precision: ProductPrecision = .float32
    ) -> BenchmarkCase {
        attention("linear", grid, core: 2 * width / heads + 25, isTraining: isTraining, precision) { scope in
            var linear = LinearAttentionConfiguration(heads: heads)
            (linear.locality, linear.gate) = (.depthwise, .keysAndValues)
            linear.gateTable = GateTable(height: grid.height, width: grid.width)
            return LinearAttention(scope, width: width, linear)
        }
    }

    static func softmaxAttention(_ grid: TokenGrid, isTraining: Bool) -> BenchmarkCase {
        attention("softmax", grid, core: 2 * grid.count, isTraining: isTraining) {
            SoftmaxAttention($0, width: width, heads: heads)
        }
    }

    /// One mixer with its projections on one sequence: forward, or forward and backward.
    /// - Parameter core: multiply–accumulates for each channel of a token, beside the projections'.
    private static func attention(
        _ name: String, _ grid: TokenGrid, core: Int, isTraining: Bool,
        _ precision: ProductPrecision = .float32,
        make: @escaping @Sendable (Scope) -> any TokenMixer
    ) -> BenchmarkCase {
        let count = grid.count
        let operations = Double(count * width) * Double(4 * width + core)
        return BenchmarkCase(
            name:
                "\(name) attention, \(count) tokens, width \(width), \(isTraining ? "training" : "forward")",
            imageCount: 1, multiplyAccumulates: (isTraining ? 3 : 1) * operations
        ) {
            let store = ParameterStore(
                .initialized(seed: 1), isTracked: isTraining, precision: precision)
            let mixer = make(store.scope)
            let tokens = RandomStream(seed: 5).normals([1, count, width])
            let layout = TokenLayout(grid: grid)
            return {
                let input = isTraining ? tokens.variable : tokens
                let result = mixer(input, layout: layout, rotation: nil)
                if isTraining { _ = result.gradients(cotangent: tokens) }
            }
        }
    }
}
