import Tensors

/// Linear attention (LINA, arXiv 2601.22630, and its ablations): every token sees all others through one d×d matrix per
/// head, at a cost that grows with the number of tokens.
///
/// `[N, L, D]` → `[N, L, D]`. Parameters, by configuration: `qkv` or `q` and `kv`; `dw_conv`; `key_scale`, `value_scale`
/// `[1, heads, L, 1]`, or `key_scale_gamma` and `key_scale_tau`; `key_gate`, `value_gate`; `residual.0`, `residual.2`,
/// `alpha`; `output_gate`, `rms_norm`; `proj`.
public struct LinearAttention: TokenMixer {
    /// Added to kernel values and to the normaliser.
    static let epsilon: Float = 1e-6

    public let configuration: LinearAttentionConfiguration
    let width: Int
    let projections: [Linear]
    let gate: LinearAttentionGate
    let locality: LinearAttentionLocality
    let outputGate: (gate: Linear, norm: Tensor)?
    let output: Linear

    public init(_ scope: Scope, width: Int, _ configuration: LinearAttentionConfiguration) {
        self.configuration = configuration
        self.width = width
        func linear(_ name: String, _ outputs: Int, hasBias: Bool = true) -> Linear {
            Linear(scope / name, width, outputs, hasBias: hasBias, weight: .fanIn(width), bias: .fanIn(width))
        }
        let hasBias = configuration.hasQKVBias
        projections =
            configuration.separatesQueries
            ? [linear("q", width, hasBias: hasBias), linear("kv", 2 * width, hasBias: hasBias)]
            : [linear("qkv", 3 * width, hasBias: hasBias)]
        gate = LinearAttentionGate(scope, width: width, configuration)
        locality = LinearAttentionLocality(scope, width: width, configuration)
        outputGate =
            configuration.hasOutputGate
            ? (
                linear("output_gate", width, hasBias: hasBias),
                (scope / "rms_norm").parameter("weight", [width], .ones)
            )
            : nil
        output = linear("proj", width)
    }

    public func callAsFunction(_ x: Tensor, layout: TokenLayout, rotation: Rotation?) -> Tensor {
        precondition(layout.count.map { $0 == x.shape[1] } ?? true, "\(x.shape) tokens do not fill \(layout)")
        let parts = Tensor.concatenatedChunks(projections.map { $0(x) }, width: width)
        let (q, k) = (features(parts[0], rotation), features(parts[1], rotation))
        let gated = gate(k, parts[2], x, layout: layout)
        var y: Tensor
        switch configuration.normalization {
        case .division:
            y = q.dividingAttention(
                to: gated.keys, gated.values, normalizing: gated.normalizing, heads: configuration.heads,
                epsilon: Self.epsilon)
        case .subtraction:
            y = q.subtractingAttention(to: gated.keys, gated.values, heads: configuration.heads)
        }
        y = locality(adding: y, input: x, values: gated.values, layout: layout)
        if let outputGate {
            y = y.rmsNorm(epsilon: 1e-6, epsilonOutside: true) * outputGate.norm * sigmoid(outputGate.gate(x))
        }
        return output(y)
    }

    /// Rotation and kernel function; a non-negative kernel of the division form is kept off zero.
    private func features(_ x: Tensor, _ rotation: Rotation?) -> Tensor {
        let (kernel, heads) = (configuration.kernelFunction, configuration.heads)
        let keepsOffZero = configuration.normalization == .division && kernel.isNonnegative
        func activated(_ x: Tensor) -> Tensor { keepsOffZero ? kernel(x) + Self.epsilon : kernel(x) }
        guard let rotation else { return activated(x) }
        return configuration.rotatesAfterKernel
            ? rotation(activated(x), heads: heads) : activated(rotation(x, heads: heads))
    }
}

extension Tensor {
    /// Results of projections side by side, cut into parts of `width` channels.
    fileprivate static func concatenatedChunks(_ results: [Tensor], width: Int) -> [Tensor] {
        results.flatMap { $0.shape.channels == width ? [$0] : $0.chunks($0.shape.channels / width) }
    }
}
