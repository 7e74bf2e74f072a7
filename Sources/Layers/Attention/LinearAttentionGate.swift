import Tensors

/// The factors that a linear attention puts on keys and values.
struct LinearAttentionGate: Sendable {
    struct Gated {
        var keys: Tensor
        var values: Tensor
        /// Keys of the normaliser, when they differ.
        var normalizing: Tensor?
    }

    private let keys: PositionGate?
    private let values: PositionGate?
    private let normalizing: PositionGate?
    private let dynamic: (keys: Linear, values: Linear)?

    init(_ scope: Scope, width: Int, _ configuration: LinearAttentionConfiguration) {
        let kind = configuration.gate
        let heads = kind == .shared ? 1 : configuration.heads
        func gate(_ name: String, _ kinds: Set<GateKind>) -> PositionGate? {
            guard kinds.contains(kind), let table = configuration.gateTable else { return nil }
            return PositionGate(scope, name, heads: heads, table: table)
        }
        let plain = gate("key_scale", [.keysAndValues, .shared, .keys])
        keys = plain ?? gate("key_scale_gamma", [.splitKeys])
        normalizing = gate("key_scale_tau", [.splitKeys])
        values = gate("value_scale", [.keysAndValues, .shared, .values, .splitKeys])
        dynamic =
            kind == .dynamic
            ? (Linear(scope / "key_gate", width, heads), Linear(scope / "value_gate", width, heads)) : nil
    }

    func callAsFunction(_ k: Tensor, _ v: Tensor, _ x: Tensor, layout: TokenLayout) -> Gated {
        if let dynamic {
            return Gated(
                keys: k.scaledByHead(Self.soft(dynamic.keys(x))),
                values: v.scaledByHead(Self.soft(dynamic.values(x))))
        }
        let count = k.shape[1]
        func gated(_ x: Tensor, _ gate: PositionGate?) -> Tensor {
            gate.map { x.scaledByHead($0(count: count, layout: layout)) } ?? x
        }
        return Gated(
            keys: gated(k, keys), values: gated(v, values), normalizing: normalizing.map { gated(k, $0) })
    }

    /// σ(x)^(1/16) as e^(−softplus(−x)/16): no logarithm of a vanishing σ.
    private static func soft(_ x: Tensor) -> Tensor { exp(softplus(-x) * (-1 / 16)) }
}
