import Tensors

extension PerceptualDistance {
    /// The mean distance of pairs `[N, H, W, 3]` in −1…1 as a term of a loss: `[]`, with its derivative by `made` (and by
    /// `real`, where that is tracked).
    ///
    /// The same number as the mean of `values`, but in single precision. Images must be as large as the network asks for
    /// (`Backbone.smallestSide`).
    public func loss(_ made: Tensor, _ real: Tensor) -> Tensor {
        precondition(
            made.shape == real.shape && made.shape.channels == 3,
            "LPIPS of \(made.shape) and \(real.shape)")
        var total = Tensor(0)
        for (pair, head) in zip(zip(taps(made), taps(real)), heads) {
            let difference = pair.0.unitVectors() - pair.1.unitVectors()
            let weighted = difference.squared * Tensor(shape: [head.count], scalars: head)
            total = total + weighted.sum() * (1 / Float(pair.0.shape.rows))
        }
        return total
    }
}
