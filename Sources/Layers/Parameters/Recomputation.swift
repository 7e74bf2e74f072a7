import Tensors

/// The seat of a block whose intermediate values may be computed again instead of kept, as the store says.
public struct Recomputation: Sendable {
    /// Those of the block; nil where everything is kept.
    private let parameters: [Tensor]?

    /// To be made when all of the block's parameters are taken from `scope`.
    public init(_ scope: Scope) {
        guard scope.store.recomputesActivations else {
            parameters = nil
            return
        }
        let prefix = scope.path + "."
        parameters = scope.store.all.filter { $0.name.hasPrefix(prefix) }.map(\.tensor)
    }

    /// - Parameter body: the block, which gives the same bits every time.
    public func callAsFunction(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
        guard let parameters else { return body(inputs) }
        return .recomputing(inputs, parameters: parameters, body)
    }
}
