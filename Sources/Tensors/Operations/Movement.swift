// Operations that only move scalars.

extension Tensor {
    /// The same scalars under another shape.
    public func reshaped(_ newShape: Shape) -> Tensor {
        precondition(newShape.elementCount == elementCount, "\(shape) cannot become \(newShape)")
        let old = shape
        return Tensor(shape: newShape, scalarType: scalarType, storage: storage, offset: offset)
            .recorded([self]) { gradient, _ in [gradient.reshaped(old)] }
    }

    /// Rows `range` of the outermost axis; shares storage.
    public func samples(_ range: Range<Int>) -> Tensor {
        precondition(
            shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape[0],
            "samples \(range) of \(shape)")
        let stride = shape[0] > 0 ? elementCount / shape[0] : 0
        let whole = shape
        return Tensor(
            shape: Shape([range.count] + shape.extents.dropFirst()), scalarType: scalarType, storage: storage,
            offset: offset + range.lowerBound * stride
        ).recorded([self]) { gradient, _ in
            let dx = Tensor.zeros(whole)
            backend.copyBlock(
                gradient.base, sourceStride: stride, dx.mutableBase + range.lowerBound * stride,
                targetStride: stride,
                rows: range.count, columns: stride)
            return [dx]
        }
    }

    /// Channels `range` of the last axis.
    public func channels(_ range: Range<Int>) -> Tensor {
        let (rows, count) = (shape.rows, shape.channels)
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "channels \(range) of \(shape)")
        let whole = shape
        let y = Tensor.uninitialized(Shape(shape.extents.dropLast() + [range.count]))
        backend.copyBlock(
            base + range.lowerBound, sourceStride: count, y.mutableBase, targetStride: range.count,
            rows: rows,
            columns: range.count)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.zeros(whole)
            backend.copyBlock(
                gradient.base, sourceStride: range.count, dx.mutableBase + range.lowerBound,
                targetStride: count,
                rows: rows, columns: range.count)
            return [dx]
        }
    }

    /// The last axis cut into equal parts.
    public func chunks(_ count: Int) -> [Tensor] {
        precondition(
            count > 0 && shape.channels % count == 0, "\(shape) does not divide into \(count) chunks")
        let width = shape.channels / count
        return (0..<count).map { channels($0 * width..<($0 + 1) * width) }
    }

    /// Joins tensors along the last axis; the other extents must agree.
    public static func concatenateChannels(_ parts: [Tensor]) -> Tensor {
        precondition(
            !parts.isEmpty
                && parts.allSatisfy { $0.shape.extents.dropLast() == parts[0].shape.extents.dropLast() },
            "channels of \(parts.map(\.shape)) do not join")
        let widths = parts.map(\.shape.channels)
        let (rows, total) = (parts[0].shape.rows, widths.reduce(0, +))
        let y = Tensor.uninitialized(Shape(parts[0].shape.extents.dropLast() + [total]))
        var start = 0
        for (part, width) in zip(parts, widths) {
            backend.copyBlock(
                part.base, sourceStride: width, y.mutableBase + start, targetStride: total, rows: rows,
                columns: width)
            start += width
        }
        return y.recorded(parts) { gradient, wanted in
            var start = 0
            return zip(widths, wanted).map { width, wanted in
                defer { start += width }
                return wanted ? gradient.channels(start..<start + width) : nil
            }
        }
    }

    /// Joins tensors along the outermost axis; the other extents must agree. No derivative.
    public static func concatenateSamples(_ parts: [Tensor]) -> Tensor {
        precondition(
            !parts.isEmpty
                && parts.allSatisfy { $0.shape.extents.dropFirst() == parts[0].shape.extents.dropFirst() },
            "samples of \(parts.map(\.shape)) do not join")
        let y = Tensor.uninitialized(
            Shape([parts.map { $0.shape[0] }.reduce(0, +)] + parts[0].shape.extents.dropFirst()))
        var start = 0
        for part in parts {
            let (target, source, count) = (y.mutableBase + start, part.base, part.elementCount)
            perform { target.update(from: source, count: count) }
            start += part.elementCount
        }
        return y
    }

    /// Space to depth: `[N, H·r, W·r, C]` → `[N, H, W, C·r²]`, channel c·r² + i·r + j from pixel (i, j) of a cell
    /// (PyTorch's PixelUnshuffle).
    public func pixelUnshuffled(by r: Int) -> Tensor {
        precondition(
            shape.rank == 4 && shape[1] % r == 0 && shape[2] % r == 0,
            "\(shape) does not divide into \(r)×\(r) cells")
        let (n, h, w, c) = (shape[0], shape[1] / r, shape[2] / r, shape[3])
        let y = Tensor.uninitialized([n, h, w, c * r * r])
        backend.pixelUnshuffle(base, y.mutableBase, rows: n * h, width: w, channels: c, factor: r)
        return y.recorded([self]) { gradient, _ in [gradient.pixelShuffled(by: r)] }
    }

    /// Depth to space, the inverse of `pixelUnshuffled` (PyTorch's PixelShuffle).
    public func pixelShuffled(by r: Int) -> Tensor {
        precondition(
            shape.rank == 4 && shape[3] % (r * r) == 0, "channels of \(shape) do not divide by \(r)²")
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3] / (r * r))
        let y = Tensor.uninitialized([n, h * r, w * r, c])
        backend.pixelShuffle(base, y.mutableBase, rows: n * h, width: w, channels: c, factor: r)
        return y.recorded([self]) { gradient, _ in [gradient.pixelUnshuffled(by: r)] }
    }

    /// Rows of a table `[K, C]` by index → `[N, C]`; the derivative adds up repeated rows.
    public func gatheringRows(_ indices: [Int]) -> Tensor {
        precondition(
            shape.rank == 2 && indices.allSatisfy { $0 >= 0 && $0 < shape[0] },
            "rows \(indices) of a table \(shape)")
        let (table, width) = (shape, shape[1])
        let y = Tensor.uninitialized([indices.count, width])
        let (source, target) = (base, y.mutableBase)
        perform {
            for (row, index) in indices.enumerated() {
                (target + row * width).update(from: source + index * width, count: width)
            }
        }
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.zeros(table)
            for (row, index) in indices.enumerated() {
                backend.accumulate(
                    gradient.base + row * width, into: dx.mutableBase + index * width, scale: 1, count: width)
            }
            return [dx]
        }
    }
}
