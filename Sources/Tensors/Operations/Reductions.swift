// Sums and means.

extension Tensor {
    /// Σ over all scalars, accumulated in double; shape `[]`.
    public func sum() -> Tensor {
        let shape = shape
        return Tensor(Float(backend.dot(base, nil, count: elementCount))).recorded([self]) { gradient, _ in
            [Tensor(repeating: gradient.item, shape: shape)]
        }
    }

    /// Mean over all scalars; shape `[]`.
    public func mean() -> Tensor {
        let shape = shape
        let count = max(1, elementCount)
        let mean = backend.dot(base, nil, count: elementCount) / Double(count)
        return Tensor(Float(mean)).recorded([self]) { gradient, _ in
            [Tensor(repeating: gradient.item / Float(count), shape: shape)]
        }
    }

    /// Mean over everything between the first and the last axis: `[N, …, C]` → `[N, C]`.
    public func spatialMean() -> Tensor {
        let layout = ChannelLayout(shape)
        let shape = shape
        let total = Tensor.uninitialized([layout.samples, layout.channels])
        backend.sumRows(base, nil, total.mutableBase, layout: layout)
        let scale = 1 / Float(max(1, layout.rows))
        let mean = Tensor.uninitialized(total.shape)
        backend.affine(total.base, mean.mutableBase, scale: scale, shift: 0, count: total.elementCount)
        return mean.recorded([self]) { gradient, _ in
            [(Tensor.zeros(shape) + gradient * scale)]
        }
    }

    /// Σ a·b over all scalars in double, outside any derivative.
    public static func dot(_ a: Tensor, _ b: Tensor) -> Double {
        precondition(a.shape == b.shape, "dot: \(a.shape) and \(b.shape) do not match")
        return backend.dot(a.base, b.base, count: a.elementCount)
    }

    /// Number of scalars that are NaN or infinite.
    public var nonFiniteCount: Int { backend.nonFiniteCount(base, count: elementCount) }
}
