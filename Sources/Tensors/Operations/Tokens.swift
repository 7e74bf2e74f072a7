// Moving tokens and axes, and the root-mean-square norm.

extension Tensor {
    /// Axis i of the result is axis `order[i]`.
    public func permuted(_ order: [Int]) -> Tensor {
        precondition(
            order.sorted() == Array(0..<shape.rank), "\(order) is no permutation of the axes of \(shape)")
        let y = Tensor.uninitialized(Shape(order.map { shape[$0] }))
        backend.permute(base, y.mutableBase, extents: shape.extents, order: order)
        return y.recorded([self]) { gradient, _ in
            var inverse = order
            for (position, axis) in order.enumerated() { inverse[axis] = position }
            return [gradient.permuted(inverse)]
        }
    }

    /// Tokens joined along the second axis: `[N, L₁, D]`, `[N, L₂, D]`, … → `[N, ΣL, D]`.
    public static func concatenateTokens(_ parts: [Tensor]) -> Tensor {
        precondition(
            !parts.isEmpty
                && parts.allSatisfy {
                    $0.shape.rank == 3 && $0.shape[0] == parts[0].shape[0] && $0.shape[2] == parts[0].shape[2]
                }, "tokens of \(parts.map(\.shape)) do not join")
        let (samples, width) = (parts[0].shape[0], parts[0].shape[2])
        let flat = parts.filter { $0.shape[1] > 0 }.map { $0.reshaped([samples, $0.shape[1] * width]) }
        guard !flat.isEmpty else { return parts[0] }
        return Tensor.concatenateChannels(flat).reshaped([
            samples, parts.map { $0.shape[1] }.reduce(0, +), width,
        ])
    }

    /// Tokens `range` of the second axis.
    public func tokens(_ range: Range<Int>) -> Tensor {
        precondition(
            shape.rank == 3 && range.lowerBound >= 0 && range.upperBound <= shape[1],
            "tokens \(range) of \(shape)")
        let (samples, width) = (shape[0], shape[2])
        if range.isEmpty { return .uninitialized([samples, 0, width]) }
        return reshaped([samples, shape[1] * width]).channels(
            range.lowerBound * width..<range.upperBound * width
        )
        .reshaped([samples, range.count, width])
    }

    /// The rows of a batch of tokens `[N, L, D]` at `indices[n]` of each sample, in that order.
    private func tokenRows(_ indices: [[Int]]) -> [Int] {
        precondition(
            shape.rank == 3 && indices.count == shape[0]
                && indices.allSatisfy { $0.allSatisfy { (0..<shape[1]).contains($0) } },
            "token indices of \(indices.count) samples for \(shape)")
        return indices.enumerated().flatMap { sample, list in list.map { sample * shape[1] + $0 } }
    }

    /// Chosen tokens as rows: `[N, L, D]` → `[ΣM, D]`, sample after sample, each in the order of its list.
    public func gatheringTokenRows(_ indices: [[Int]]) -> Tensor {
        let rows = tokenRows(indices)
        if rows.isEmpty { return .uninitialized([0, shape[2]]) }
        return reshaped([shape[0] * shape[1], shape[2]]).gatheringRows(rows)
    }

    /// Chosen tokens of each sample, M of every one: `[N, L, D]` → `[N, M, D]`.
    public func gatheringTokens(_ indices: [[Int]]) -> Tensor {
        let count = indices.first?.count ?? 0
        precondition(indices.allSatisfy { $0.count == count }, "samples with different numbers of tokens")
        return gatheringTokenRows(indices).reshaped([shape[0], count, shape[2]])
    }

    /// These tokens with those at `indices[n]` replaced by `rows [ΣM, D]` (or `[N, M, D]`). No index may come twice.
    public func replacingTokens(_ indices: [[Int]], with rows: Tensor) -> Tensor {
        let targets = tokenRows(indices)
        let width = shape[2]
        precondition(
            rows.elementCount == targets.count * width && Set(targets).count == targets.count,
            "\(targets.count) tokens of \(shape) cannot be replaced by \(rows.shape)")
        if targets.isEmpty { return self }
        let y = Tensor.uninitialized(shape)
        let (whole, replacing, result, count) = (base, rows.base, y.mutableBase, elementCount)
        perform {
            result.update(from: whole, count: count)
            for (source, target) in targets.enumerated() {
                (result + target * width).update(from: replacing + source * width, count: width)
            }
        }
        let rowShape = rows.shape
        return y.recorded([self, rows]) { gradient, wanted in
            let dx = Tensor.uninitialized(gradient.shape)
            let dRows = Tensor.uninitialized(rowShape)
            dx.mutableBase.update(from: gradient.base, count: gradient.elementCount)
            for (source, target) in targets.enumerated() {
                (dRows.mutableBase + source * width).update(
                    from: gradient.base + target * width, count: width)
                (dx.mutableBase + target * width).update(repeating: 0, count: width)
            }
            return [wanted[0] ? dx : nil, wanted[1] ? dRows : nil]
        }
    }

    /// The tensor `count` times one after the other along the outermost axis.
    public func repeatedSamples(_ count: Int) -> Tensor {
        let whole = Shape([count * shape[0]] + shape.extents.dropFirst())
        return Tensor.concatenateChannels(Array(repeating: reshaped([1, elementCount]), count: count))
            .reshaped(whole)
    }

    /// One vector `[…]` as `[count, …]`, the same for every sample.
    public func broadcastSamples(_ count: Int) -> Tensor {
        reshaped([1, elementCount]).gatheringRows(Array(repeating: 0, count: count))
            .reshaped(Shape([count] + shape.extents))
    }

    /// x/√(mean x² + ε) over the last axis; x/(√(mean x²) + ε) with `epsilonOutside`.
    public func rmsNorm(epsilon: Float, epsilonOutside: Bool = false) -> Tensor {
        let (rows, channels) = (shape.rows, shape.channels)
        let x = detached
        let y = Tensor.uninitialized(shape)
        let inverse = Tensor.uninitialized([rows])
        backend.rmsNorm(
            x.base, y.mutableBase, inverse: inverse.mutableBase, epsilon: epsilon, outside: epsilonOutside,
            rows: rows, channels: channels)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(x.shape)
            backend.rmsNormBackward(
                x.base, gradient.base, inverse: inverse.base, dx.mutableBase, epsilon: epsilon,
                outside: epsilonOutside, rows: rows, channels: channels)
            return [dx]
        }
    }

    /// Values limited to ±limit; NaN becomes 0. No derivative flows beyond the limits.
    public func clamped(to limit: Float) -> Tensor {
        let x = detached
        let y = Tensor.uninitialized(shape)
        backend.clamp(x.base, y.mutableBase, limit: limit, count: elementCount)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(x.shape)
            backend.clampBackward(x.base, gradient.base, dx.mutableBase, limit: limit, count: x.elementCount)
            return [dx]
        }
    }
}
