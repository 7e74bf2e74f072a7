extension BenchmarkCase {
    /// Cases that are timed only when asked for by name.
    enum Group: String, CaseIterable {
        case attention
        case linearAttention = "linear-attention"
        case softmaxAttention = "softmax-attention"
        case metrics
        case manifolds

        var cases: [BenchmarkCase] {
            switch self {
            case .attention: Self.linearAttention.cases + Self.softmaxAttention.cases
            case .linearAttention: BenchmarkCase.linearAttention
            case .softmaxAttention: BenchmarkCase.softmaxAttention
            case .metrics: BenchmarkCase.metrics
            case .manifolds: BenchmarkCase.manifolds
            }
        }
    }
}
