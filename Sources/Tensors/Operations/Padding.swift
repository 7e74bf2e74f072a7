extension Tensor {
    /// Zero rows below and zero columns to the right: `[N, H, W, C]` → `[N, H + bottom, W + right, C]`.
    public func padded(bottom: Int, right: Int) -> Tensor {
        precondition(
            shape.rank == 4 && bottom >= 0 && right >= 0,
            "\(shape) padded by \(bottom) rows, \(right) columns")
        let old = shape
        let y = Tensor.zeros([old[0], old[1] + bottom, old[2] + right, old[3]])
        Self.copyCorner(self, old, y, y.shape, size: old)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(old)
            Self.copyCorner(gradient, gradient.shape, dx, old, size: old)
            return [dx]
        }
    }

    private static func copyCorner(
        _ source: Tensor, _ from: Shape, _ target: Tensor, _ to: Shape, size: Shape
    ) {
        for image in 0..<size[0] {
            backend.copyBlock(
                source.base + image * from[1] * from[2] * from[3], sourceStride: from[2] * from[3],
                target.mutableBase + image * to[1] * to[2] * to[3], targetStride: to[2] * to[3],
                rows: size[1],
                columns: size[2] * size[3])
        }
    }
}
