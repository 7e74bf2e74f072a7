import Tensors

/// Multi-head attention with a softmax, streamed over blocks: never all pairs of tokens in memory.
///
/// `[N, L, D]` → `[N, L, D]`. Parameters `qkv.weight [3D, D]`, `qkv.bias`, `proj`; with normalised queries and keys also
/// `q_norm.weight`, `k_norm.weight [d]`.
public struct SoftmaxAttention: TokenMixer {
    public let heads: Int
    let qkv: Linear
    let projection: Linear
    let norms: (query: Tensor, key: Tensor)?

    /// - Parameter normalizesQueriesAndKeys: RMS norm of each head's queries and keys (arXiv 2302.05442).
    public init(
        _ scope: Scope, width: Int, heads: Int, hasQKVBias: Bool = true,
        normalizesQueriesAndKeys: Bool = false
    ) {
        precondition(heads > 0 && width % heads == 0, "width \(width) does not divide into \(heads) heads")
        self.heads = heads
        qkv = Linear(
            scope / "qkv", width, 3 * width, hasBias: hasQKVBias, weight: .fanIn(width), bias: .fanIn(width))
        if normalizesQueriesAndKeys {
            norms = (
                (scope / "q_norm").parameter("weight", [width / heads], .ones),
                (scope / "k_norm").parameter("weight", [width / heads], .ones)
            )
        } else {
            norms = nil
        }
        projection = Linear(scope / "proj", width, width, weight: .fanIn(width), bias: .fanIn(width))
    }

    public func callAsFunction(_ x: Tensor, layout: TokenLayout, rotation: Rotation?) -> Tensor {
        let parts = qkv(x).chunks(3)
        var (q, k) = (parts[0], parts[1])
        if let norms { (q, k) = (normalized(q, norms.query), normalized(k, norms.key)) }
        if let rotation { (q, k) = (rotation(q, heads: heads), rotation(k, heads: heads)) }
        return projection(q.attending(to: k, parts[2], heads: heads))
    }

    private func normalized(_ x: Tensor, _ weight: Tensor) -> Tensor {
        let width = x.shape[2] / heads
        return (x.reshaped([x.shape.rows * heads, width]).rmsNorm(epsilon: 1e-6) * weight).reshaped(x.shape)
    }
}

/// Attention through a few mediators (agent attention, arXiv 2312.08874): queries averaged over M stretches of the
/// sequence gather from all tokens, and all tokens gather from them; cost linear in the tokens.
///
/// Parameters `qkv`, `proj`.
public struct MediatorAttention: TokenMixer {
    public let heads: Int
    let mediators: Int
    let qkv: Linear
    let projection: Linear

    public init(_ scope: Scope, width: Int, heads: Int, mediators: Int, hasQKVBias: Bool = true) {
        self.heads = heads
        self.mediators = mediators
        qkv = Linear(
            scope / "qkv", width, 3 * width, hasBias: hasQKVBias, weight: .fanIn(width), bias: .fanIn(width))
        projection = Linear(scope / "proj", width, width, weight: .fanIn(width), bias: .fanIn(width))
    }

    public func callAsFunction(_ x: Tensor, layout: TokenLayout, rotation: Rotation?) -> Tensor {
        let parts = qkv(x).chunks(3)
        var (q, k) = (parts[0], parts[1])
        if let rotation { (q, k) = (rotation(q, heads: heads), rotation(k, heads: heads)) }
        let mediator = pooling(tokens: x.shape[1]).matrixProduct(q)
        let gathered = mediator.attending(to: k, parts[2], heads: heads)
        return projection(q.attending(to: mediator, gathered, heads: heads))
    }

    /// `[1, M, L]`: mediator i averages tokens ⌊iL/M⌋ ..< ⌈(i+1)L/M⌉.
    private func pooling(tokens: Int) -> Tensor {
        var weights = [Float](repeating: 0, count: mediators * tokens)
        for i in 0..<mediators {
            let (first, end) = (i * tokens / mediators, ((i + 1) * tokens + mediators - 1) / mediators)
            for token in first..<end { weights[i * tokens + token] = 1 / Float(end - first) }
        }
        return Tensor(shape: [1, mediators, tokens], scalars: weights)
    }
}
