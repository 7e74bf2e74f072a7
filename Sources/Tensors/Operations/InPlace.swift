// The only operations that write into existing tensors: for optimisers, between steps.

extension Tensor {
    /// One AdamW update of a parameter, its moments and its moving average, in place.
    public static func updateAdamW(
        _ weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor, average: Tensor?,
        _ settings: AdamWStep
    ) {
        precondition(
            [gradient, first, second].allSatisfy { $0.shape == weight.shape },
            "AdamW: gradient \(gradient.shape) of a parameter \(weight.shape)")
        backend.adamW(
            settings, gradient: gradient.base, weight: weight.mutableBase, first: first.mutableBase,
            second: second.mutableBase, average: average?.mutableBase, count: weight.elementCount)
        weight.storage.contentsChanged()
        average?.storage.contentsChanged()
    }

    /// Overwrites the scalars with those of `other`.
    public func assign(_ other: Tensor) {
        precondition(shape == other.shape, "assign: \(other.shape) to \(shape)")
        mutableBase.update(from: other.base, count: elementCount)
        storage.contentsChanged()
    }

    /// self += scale · other
    public func accumulate(_ other: Tensor, scale: Float = 1) {
        precondition(shape == other.shape, "accumulate: \(other.shape) onto \(shape)")
        backend.accumulate(other.base, into: mutableBase, scale: scale, count: elementCount)
        storage.contentsChanged()
    }
}
