/// Which token mixer a block has.
public enum TokenMixerConfiguration: Hashable, Sendable {
    case softmax(heads: Int, hasQKVBias: Bool = true, normalizesQueriesAndKeys: Bool = false)
    case linear(LinearAttentionConfiguration)
    case mediator(heads: Int, count: Int)

    public func makeMixer(_ scope: Scope, width: Int) -> any TokenMixer {
        switch self {
        case .softmax(let heads, let hasQKVBias, let normalizes):
            SoftmaxAttention(
                scope, width: width, heads: heads, hasQKVBias: hasQKVBias,
                normalizesQueriesAndKeys: normalizes)
        case .linear(let configuration): LinearAttention(scope, width: width, configuration)
        case .mediator(let heads, let count):
            MediatorAttention(scope, width: width, heads: heads, mediators: count)
        }
    }

    /// - Throws: `ConfigurationError` when such a mixer cannot be.
    public func validate(width: Int) throws {
        switch self {
        case .softmax(let heads, _, _), .mediator(let heads, _):
            guard heads > 0, width % heads == 0 else {
                throw ConfigurationError(
                    field: "heads", demand: "a divisor of the width \(width), found \(heads)")
            }
        case .linear(let configuration): try configuration.validate(width: width)
        }
    }
}
