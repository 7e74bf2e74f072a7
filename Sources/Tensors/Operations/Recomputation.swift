// Memory for time: parts of a network whose intermediate values are computed twice.

extension Tensor {
    /// What `body` makes of the inputs, recorded as one operation that keeps the inputs alone: the backward pass runs
    /// `body` again for what is in between (arXiv 1604.06174). Result and gradients have the same bits as without.
    /// - Parameters:
    ///   - parameters: variables that `body` uses beside its inputs.
    ///   - body: must give the same bits every time.
    public static func recomputing(
        _ inputs: [Tensor], parameters: [Tensor], _ body: @escaping ([Tensor]) -> Tensor
    ) -> Tensor {
        let given = inputs.map(\.detached)
        // What was recorded on the way is let go with the result of this call.
        let result = body(given).detached
        return result.recorded(inputs + parameters) { gradient, wanted in
            let again = zip(given, wanted).map { $1 ? $0.variable : $0 }
            let gradients = body(again).gradients(cotangent: gradient)
            return (again + parameters).map { gradients[$0] }
        }
    }
}
