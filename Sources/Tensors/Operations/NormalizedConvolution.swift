// A pointwise convolution with the norm in front of it.

extension Tensor {
    /// A pointwise convolution of the normalised rows: `[N, H, W, I]` → `[N, H, W, O]`.
    public func convolved(normalizedBy norm: RowNormalization, with project: PointwiseWeights) -> Tensor {
        guard project.isFusible, elementCount > 0 else {
            return norm(self).convolved(with: project.weight, bias: project.bias)
        }
        let layout = ChannelLayout(shape)
        precondition(
            shape.rank == 4 && norm.scale.isVectors(of: layout) && norm.shift.shape == norm.scale.shape
                && project.inputs == layout.channels,
            "normalised product of \(shape) with \(norm.scale.shape) and weights \(project.weight.shape)")
        let x = detached
        let statistics = RowMoments(rows: shape.rows)
        let y = Tensor.uninitialized([shape[0], shape[1], shape[2], project.outputs])
        backend.normalizedProduct(
            x.base, norm.operand, statistics.operand, project.operand, y.mutableBase, layout: layout)
        return y.recorded([self, norm.shift, norm.scale] + project.operands) {
            [norm = norm.detached, project = project.detached] gradient, _ in
            let dx = Tensor.uninitialized(x.shape)
            let vectors = (0..<2).map { _ in Tensor.uninitialized(norm.scale.shape) }
            let projected = project.gradients()
            backend.normalizedProductBackward(
                x.base, norm.operand, statistics.operand, project.operand, gradient.base, dx.mutableBase,
                dScale: vectors[1].mutableBase,
                dShift: vectors[0].mutableBase, projected.operand, layout: layout)
            return withExtendedLifetime(projected) { [dx] + vectors + projected.results }
        }
    }
}
