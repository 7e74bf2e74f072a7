// Operations on tokens `[N, L, D]` whose channels are divided into heads, or other equal groups, of D/heads channels.

extension Tensor {
    func headLayout(_ heads: Int) -> HeadLayout {
        precondition(
            shape.rank == 3 && heads > 0 && shape[2] % heads == 0,
            "tokens [N, L, D] with D divisible by \(heads) heads are needed, found \(shape)")
        return HeadLayout(samples: shape[0], tokens: shape[1], heads: heads, width: shape[2] / heads)
    }

    /// Tokens times one factor per token and head.
    ///
    /// - Parameter gate: `[L, heads]`, the same for every sample, or `[N, L, heads]`.
    public func scaledByHead(_ gate: Tensor) -> Tensor {
        let layout = headLayout(gate.shape.channels)
        let shared = gate.shape.rank == 2
        let expected: Shape =
            shared ? [layout.tokens, layout.heads] : [layout.samples, layout.tokens, layout.heads]
        precondition(gate.shape == expected, "a gate \(gate.shape) does not fit tokens \(shape)")
        let (x, s) = (detached, gate.detached)
        func scale(_ x: Tensor) -> Tensor {
            let y = Tensor.uninitialized(x.shape)
            backend.headScale(x.base, s.base, y.mutableBase, layout: layout, shared: shared)
            return y
        }
        return scale(x).recorded([self, gate]) { gradient, wanted in
            var dGate: Tensor?
            if wanted[1] {
                let each = Tensor.uninitialized([layout.samples, layout.tokens, layout.heads])
                backend.headDot(gradient.base, x.base, each.mutableBase, layout: layout, perSample: false)
                dGate = shared ? each.summedOverSamples() : each
            }
            return [wanted[0] ? scale(gradient) : nil, dGate]
        }
    }

    /// Σ over the outermost axis: `[N, …]` → `[…]`. No derivative.
    func summedOverSamples() -> Tensor {
        let rest = Shape(Array(shape.extents.dropFirst()))
        let sum = Tensor.uninitialized(rest)
        backend.sumRows(
            base, nil, sum.mutableBase,
            layout: ChannelLayout(samples: 1, rows: shape[0], channels: rest.elementCount))
        return sum
    }

    /// Rotary position embedding: neighbouring channels (2i, 2i + 1) of every head turned by an angle of the token.
    ///
    /// - Parameters:
    ///   - cosine: cosines of the angles, `[L, d/2]` or `[N, L, d/2]` with d = D/heads.
    ///   - sine: their sines, of the same shape.
    public func rotatedPairs(cosine: Tensor, sine: Tensor, heads: Int, backwards: Bool = false) -> Tensor {
        let layout = headLayout(heads)
        let shared = cosine.shape.rank == 2
        let expected: Shape =
            shared
            ? [layout.tokens, layout.width / 2] : [layout.samples, layout.tokens, layout.width / 2]
        precondition(
            layout.width % 2 == 0 && cosine.shape == expected && sine.shape == expected,
            "rotations \(cosine.shape) do not fit tokens \(shape) in \(heads) heads")
        let (c, s) = (cosine.detached, sine.detached)
        let y = Tensor.uninitialized(shape)
        backend.rotatePairs(
            base, cosine: c.base, sine: s.base, backwards: backwards, y.mutableBase, layout: layout,
            shared: shared)
        return y.recorded([self]) { gradient, _ in
            [gradient.rotatedPairs(cosine: c, sine: s, heads: heads, backwards: !backwards)]
        }
    }

    /// Every matrix of a batch times its counterpart: `[G, m, k]` with `[G, k, n]` → `[G, m, n]`. A factor `[1, …]`
    /// serves the whole batch.
    public func matrixProduct(_ other: Tensor, transposed: (Bool, Bool) = (false, false)) -> Tensor {
        precondition(
            shape.rank == 3 && other.shape.rank == 3, "matrix product of \(shape) and \(other.shape)")
        let count = max(shape[0], other.shape[0])
        let (m, k) = transposed.0 ? (shape[2], shape[1]) : (shape[1], shape[2])
        let (n, inner) = transposed.1 ? (other.shape[1], other.shape[2]) : (other.shape[2], other.shape[1])
        precondition(
            k == inner && [1, count].contains(shape[0]) && [1, count].contains(other.shape[0]),
            "matrix product of \(shape) and \(other.shape)")
        func placement(_ x: Tensor) -> BatchedProduct.Placement {
            .init(row: x.shape[2], outer: x.shape[0] == 1 ? 0 : x.shape[1] * x.shape[2], inner: 0)
        }
        let (a, b) = (detached, other.detached)
        let y = Tensor.uninitialized([count, m, n])
        backend.matrixProducts(
            BatchedProduct(
                outer: count, inner: 1, m: m, n: n, k: k, transposeA: transposed.0, transposeB: transposed.1,
                a: placement(a), b: placement(b), c: .init(row: n, outer: m * n, inner: 0)),
            a.base, b.base, y.mutableBase)
        return y.recorded([self, other]) { gradient, wanted in
            let dA = { () -> Tensor in
                let d =
                    transposed.0
                    ? b.matrixProduct(gradient, transposed: (transposed.1, true))
                    : gradient.matrixProduct(b, transposed: (false, !transposed.1))
                return d.shape[0] == a.shape[0] ? d : d.summedOverSamples().reshaped(a.shape)
            }
            let dB = { () -> Tensor in
                let d =
                    transposed.1
                    ? gradient.matrixProduct(a, transposed: (true, transposed.0))
                    : a.matrixProduct(gradient, transposed: (!transposed.0, false))
                return d.shape[0] == b.shape[0] ? d : d.summedOverSamples().reshaped(b.shape)
            }
            return [wanted[0] ? dA() : nil, wanted[1] ? dB() : nil]
        }
    }
}
