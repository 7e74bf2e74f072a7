import CKernels

/// Where each output row and column of an image comes from: an input index, or −1 for zeros.
struct PixelMap: Sendable {
    var height: Int
    var width: Int
    var channels: Int
    var rows: [Int32]
    var columns: [Int32]

    func withRaw(_ body: (UnsafePointer<sfumato_pixel_map>) -> Void) {
        rows.withUnsafeBufferPointer { rows in
            columns.withUnsafeBufferPointer { columns in
                var map = sfumato_pixel_map(
                    height: Int64(height), width: Int64(width), channels: Int64(channels),
                    out_height: Int64(rows.count), out_width: Int64(columns.count), rows: rows.baseAddress,
                    columns: columns.baseAddress)
                withUnsafePointer(to: &map) { body($0) }
            }
        }
    }
}

// Kernels on pixels and boxes of pixels.
extension CPUBackend {
    func gatherPixels(_ map: PixelMap, _ x: Input, _ y: Output, samples: Int) {
        let line = max(1, map.columns.count * map.channels)
        perform {
            map.withRaw { raw in
                parallelFor(samples * map.rows.count, grain: max(1, Self.grain / line)) { begin, end in
                    sfumato_gather_pixels(raw, x, y, Int64(begin), Int64(end))
                }
            }
        }
    }

    func scatterPixels(_ map: PixelMap, _ dy: Input, _ dx: Output, samples: Int) {
        let (from, to) = (
            map.rows.count * map.columns.count * map.channels, map.height * map.width * map.channels
        )
        perform {
            map.withRaw { raw in
                parallelFor(samples, grain: 1) { begin, end in
                    for n in begin..<end { sfumato_scatter_pixels(raw, dy + n * from, dx + n * to) }
                }
            }
        }
    }

    func boxSum(
        _ x: Input, _ y: Output, samples: Int, height: Int, width: Int, channels: Int, kernelHeight: Int,
        kernelWidth: Int, scale: Float
    ) {
        let rows = height - kernelHeight + 1
        let outputs = rows * (width - kernelWidth + 1) * channels
        // Strips of rows of a fixed height, each beginning its running sums anew: the result does not depend on
        // the thread count.
        let strip = max(kernelHeight, 64)
        let strips = (rows + strip - 1) / strip
        performParallel(samples * strips, grain: 1) { begin, end in
            let scratch = Storage(byteCount: (width + 1) * channels * MemoryLayout<Double>.stride)
            for part in begin..<end {
                let (n, first) = (part / strips, part % strips * strip)
                sfumato_box_sum(
                    x + n * height * width * channels, y + n * outputs, Int64(first),
                    Int64(min(rows, first + strip)), Int64(width), Int64(channels), Int64(kernelHeight),
                    Int64(kernelWidth), scale, scratch.pointer.assumingMemoryBound(to: Double.self))
            }
        }
    }

    func gate(_ x: Input, _ y: Output, rows: Int, channels: Int) {
        performParallel(rows, grain: max(1, Self.grain / max(1, channels))) { begin, end in
            sfumato_gate(
                x + begin * 2 * channels, y + begin * channels, Int64(end - begin), Int64(channels))
        }
    }

    func gateBackward(_ x: Input, _ dy: Input, _ dx: Output, rows: Int, channels: Int) {
        performParallel(rows, grain: max(1, Self.grain / max(1, channels))) { begin, end in
            sfumato_gate_backward(
                x + begin * 2 * channels, dy + begin * channels, dx + begin * 2 * channels,
                Int64(end - begin), Int64(channels))
        }
    }
}
