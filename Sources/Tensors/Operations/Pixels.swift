// Padding, cropping and turning of images: operations that move whole pixels.

/// What lies beyond the border of an image.
public enum PaddingMode: String, Sendable, Codable, CaseIterable {
    case zeros
    /// The border's own pixels again.
    case replicate
    /// The image mirrored at the border's pixels, which are not repeated.
    case reflect

    /// The index that a position outside `0..<count` stands for; nil is zero.
    func index(_ position: Int, count: Int) -> Int? {
        if (0..<count).contains(position) { return position }
        switch self {
        case .zeros: return nil
        case .replicate: return min(max(position, 0), count - 1)
        case .reflect:
            guard count > 1 else { return 0 }
            let period = 2 * (count - 1)
            let phase = ((position % period) + period) % period
            return min(phase, period - phase)
        }
    }
}

extension Tensor {
    /// Pixels by tables of rows and columns: `[N, H, W, C]` → `[N, rows, columns, C]`, zeros where a table says
    /// nil. The derivative adds up what was taken several times.
    public func gatheringPixels(rows: [Int?], columns: [Int?]) -> Tensor {
        precondition(
            shape.rank == 4 && rows.allSatisfy { $0.map((0..<shape[1]).contains) ?? true }
                && columns.allSatisfy { $0.map((0..<shape[2]).contains) ?? true },
            "rows \(rows), columns \(columns) of \(shape)")
        let map = PixelMap(
            height: shape[1], width: shape[2], channels: shape[3], rows: rows.map { Int32($0 ?? -1) },
            columns: columns.map { Int32($0 ?? -1) })
        let whole = shape
        let y = Tensor.uninitialized([shape[0], rows.count, columns.count, shape[3]])
        backend.gatherPixels(map, base, y.mutableBase, samples: shape[0])
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.zeros(whole)
            backend.scatterPixels(map, gradient.base, dx.mutableBase, samples: whole[0])
            return [dx]
        }
    }

    /// `[N, H, W, C]` with pixels added at each side.
    public func padded(
        top: Int = 0, left: Int = 0, bottom: Int = 0, right: Int = 0, mode: PaddingMode = .zeros
    ) -> Tensor {
        if (top, left, bottom, right) == (0, 0, 0, 0) { return self }
        precondition(
            [top, left, bottom, right].allSatisfy { $0 >= 0 } && shape[1] > 0 && shape[2] > 0,
            "padding of \(shape) by \(top), \(left), \(bottom), \(right)")
        return gatheringPixels(
            rows: (-top..<shape[1] + bottom).map { mode.index($0, count: shape[1]) },
            columns: (-left..<shape[2] + right).map { mode.index($0, count: shape[2]) })
    }

    /// The part of `[N, H, W, C]` in the given rows and columns.
    public func cropped(rows: Range<Int>, columns: Range<Int>) -> Tensor {
        if rows == 0..<shape[1], columns == 0..<shape[2] { return self }
        return gatheringPixels(rows: rows.map { $0 }, columns: columns.map { $0 })
    }

    /// Upside down.
    public var flippedRows: Tensor {
        gatheringPixels(rows: (0..<shape[1]).reversed(), columns: (0..<shape[2]).map { $0 })
    }

    /// Left and right exchanged.
    public var flippedColumns: Tensor {
        gatheringPixels(rows: (0..<shape[1]).map { $0 }, columns: (0..<shape[2]).reversed())
    }

    /// Rows and columns exchanged: `[N, H, W, C]` → `[N, W, H, C]`.
    public var transposedPixels: Tensor {
        precondition(shape.rank == 4, "an image is [N, H, W, C], not \(shape)")
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        let y = Tensor.uninitialized([n, w, h, c])
        for sample in 0..<n {
            for row in 0..<h {
                // A row of pixels becomes a column: pixels h·C apart.
                let start = (sample * h + row) * w * c
                backend.copyBlock(
                    base + start, sourceStride: c, y.mutableBase + (sample * h * w + row) * c,
                    targetStride: h * c, rows: w, columns: c)
            }
        }
        return y.recorded([self]) { gradient, _ in [gradient.transposedPixels] }
    }
}
