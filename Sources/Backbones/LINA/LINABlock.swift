import Layers
import Tensors

/// A transformer block that normalises the branch, not its input: x + LN₁(mixer(x)), then x + LN₂(MLP(x)).
///
/// `[N, L, D]` → `[N, L, D]`. Parameters `attn.*`, `norm1`, `norm2`, `mlp.fc1 [4D, D]`, `mlp.fc2`.
public struct LINABlock: Sendable {
    let mixer: any TokenMixer
    let norm1: ChannelNorm
    let norm2: ChannelNorm
    let widen: Linear
    let narrow: Linear
    private let recomputation: Recomputation

    public init(
        _ scope: Scope, width: Int, mlpRatio: Double = 4, mixer: TokenMixerConfiguration,
        epsilon: Float = 1e-5
    ) {
        let hidden = Int(mlpRatio * Double(width))
        self.mixer = mixer.makeMixer(scope / "attn", width: width)
        norm1 = ChannelNorm(scope / "norm1", channels: width, epsilon: epsilon)
        norm2 = ChannelNorm(scope / "norm2", channels: width, epsilon: epsilon)
        widen = .uniform(scope / "mlp.fc1", width, hidden)
        narrow = .uniform(scope / "mlp.fc2", hidden, width)
        recomputation = Recomputation(scope)
    }

    public func callAsFunction(_ x: Tensor, layout: TokenLayout, rotation: Rotation? = nil) -> Tensor {
        recomputation([x]) { inputs in
            let x = inputs[0]
            let y = norm1(mixer(x, layout: layout, rotation: rotation)) + x
            return norm2(narrow(gelu(widen(y)))) + y
        }
    }
}

extension Linear {
    /// With PyTorch's first values, U(±1/√I) for weight and bias.
    static func uniform(_ scope: Scope, _ inputs: Int, _ outputs: Int) -> Linear {
        Linear(scope, inputs, outputs, weight: .fanIn(inputs), bias: .fanIn(inputs))
    }
}
