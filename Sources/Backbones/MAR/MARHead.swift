import Layers
import Tensors

/// MAR's diffusion head (arXiv 2406.11838; LTH14/mar, `models/diffloss.py`): noise and variance channels of a noisy token.
///
/// Parameters `time_embed.mlp.{0, 2}`, `cond_embed`, `input_proj`, `res_blocks.i.{in_ln, mlp.0, mlp.2,
/// adaLN_modulation.1}`, `final_layer.{linear, adaLN_modulation.1}`.
public struct MARHead: Sendable {
    private static let epsilon: Float = 1e-6

    private struct Block: Sendable {
        let norm: ChannelNorm
        let first: Linear
        let second: Linear
        let modulation: Linear

        init(_ scope: Scope, width: Int) {
            norm = ChannelNorm(scope / "in_ln", channels: width, epsilon: MARHead.epsilon)
            first = Linear(scope / "mlp.0", width, width)
            second = Linear(scope / "mlp.2", width, width)
            modulation = Linear(scope / "adaLN_modulation.1", width, 3 * width, weight: .zeros)
        }

        func callAsFunction(_ x: Tensor, condition: Tensor) -> Tensor {
            let m = modulation(silu(condition)).chunks(3)  // shift, scale, gate
            let h = norm(x) * (m[1] + 1) + m[0]
            return x + m[2] * second(silu(first(h)))
        }
    }

    private let time: TimestepEmbedder
    private let embedding: Linear
    private let input: Linear
    private let blocks: [Block]
    private let modulation: Linear
    private let output: Linear

    public init(_ scope: Scope, channels: Int, outputs: Int, conditionWidth: Int, width: Int, depth: Int) {
        time = TimestepEmbedder(scope / "time_embed", width: width)
        embedding = Linear(scope / "cond_embed", conditionWidth, width)
        input = Linear(scope / "input_proj", channels, width)
        blocks = (0..<depth).map { Block(scope / "res_blocks" / $0, width: width) }
        modulation = Linear(scope / "final_layer.adaLN_modulation.1", width, 2 * width, weight: .zeros)
        output = Linear(scope / "final_layer.linear", width, outputs, weight: .zeros)
    }

    /// The part of the condition that does not depend on time, `[R, D]` → `[R, W]`.
    public func condition(_ features: Tensor) -> Tensor { embedding(features) }

    /// Noisy tokens `[R, c]` at R times → `[R, 2c]`.
    public func callAsFunction(_ noisy: Tensor, time times: [Float], condition: Tensor) -> Tensor {
        self(noisy, timeFeatures: timeFeatures(times), condition: condition)
    }

    func timeFeatures(_ times: [Float]) -> Tensor { time.features(times) }

    var isTracked: Bool { output.weight.isTracked }

    func callAsFunction(_ noisy: Tensor, timeFeatures: Tensor, condition: Tensor) -> Tensor {
        let y = time(features: timeFeatures) + condition
        let h = blocks.reduce(input(noisy)) { $1($0, condition: y) }
        let m = modulation(silu(y)).chunks(2)  // shift, scale
        let rows: Shape = [h.shape[0], 1, h.shape[1]]
        let normal = h.reshaped(rows).layerNorm(shift: m[0], scale: m[1], epsilon: Self.epsilon)
        return output(normal.reshaped(h.shape))
    }
}
