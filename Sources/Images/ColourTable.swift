/// At most 256 colours for a set of pixels: their own if there are few, else chosen by median cut (Heckbert, "Color
/// image quantization for frame buffer display", SIGGRAPH 1982).
struct ColourTable {
    let colors: [SIMD3<UInt8>]
    /// The entry of a colour of few, by its 24 bits.
    private var exact: [UInt32: UInt8] = [:]
    /// Otherwise the entry of each cell of 5 bits per channel that has pixels.
    private var cells: [UInt8] = []

    /// - Parameter frames: RGB samples, three per pixel.
    init(reducing frames: [[UInt8]]) {
        if let few = Self.distinctColors(frames, atMost: 256) {
            colors = few
            for (n, color) in few.enumerated() { exact[Self.key(color)] = UInt8(n) }
            return
        }
        let occupied = Self.histogram(frames)
        let boxes = ColourBox.cut(occupied, into: 256)
        colors = boxes.map(\.mean)
        cells = [UInt8](repeating: 0, count: 1 << 15)
        for cell in occupied { cells[cell.number] = nearest(to: SIMD3(truncatingIfNeeded: cell.mean)) }
    }

    /// The table's entry for each pixel.
    func indices(of pixels: [UInt8]) -> [UInt8] {
        (0..<pixels.count / 3).map { pixel in
            let (r, g, b) = (pixels[3 * pixel], pixels[3 * pixel + 1], pixels[3 * pixel + 2])
            return cells.isEmpty ? exact[Self.key(SIMD3(r, g, b))] ?? 0 : cells[Self.cell(r, g, b)]
        }
    }

    private func nearest(to target: SIMD3<Int32>) -> UInt8 {
        var best = (entry: 0, distance: Int32.max)
        for (n, color) in colors.enumerated() {
            let difference = SIMD3<Int32>(truncatingIfNeeded: color) &- target
            let distance = (difference &* difference).wrappedSum()
            if distance < best.distance { best = (n, distance) }
        }
        return UInt8(best.entry)
    }

    private static func distinctColors(_ frames: [[UInt8]], atMost limit: Int) -> [SIMD3<UInt8>]? {
        var found: [SIMD3<UInt8>] = []
        var known: Set<UInt32> = []
        for pixels in frames {
            for first in stride(from: 0, to: pixels.count, by: 3) {
                let color = SIMD3(pixels[first], pixels[first + 1], pixels[first + 2])
                guard known.insert(key(color)).inserted else { continue }
                guard found.count < limit else { return nil }
                found.append(color)
            }
        }
        return found
    }

    /// Sums of the pixels in each occupied cell.
    private static func histogram(_ frames: [[UInt8]]) -> [ColourCell] {
        var counts = [Int](repeating: 0, count: 1 << 15)
        var sums = [SIMD3<Int>](repeating: .zero, count: 1 << 15)
        for pixels in frames {
            for first in stride(from: 0, to: pixels.count, by: 3) {
                let cell = cell(pixels[first], pixels[first + 1], pixels[first + 2])
                counts[cell] += 1
                sums[cell] &+= SIMD3(Int(pixels[first]), Int(pixels[first + 1]), Int(pixels[first + 2]))
            }
        }
        return counts.indices.filter { counts[$0] > 0 }.map {
            ColourCell(number: $0, count: counts[$0], sum: sums[$0])
        }
    }

    private static func key(_ color: SIMD3<UInt8>) -> UInt32 {
        UInt32(color.x) << 16 | UInt32(color.y) << 8 | UInt32(color.z)
    }

    private static func cell(_ r: UInt8, _ g: UInt8, _ b: UInt8) -> Int {
        Int(r >> 3) << 10 | Int(g >> 3) << 5 | Int(b >> 3)
    }
}

/// The pixels of one cell of colour space.
private struct ColourCell {
    let number: Int
    let count: Int
    let sum: SIMD3<Int>
    var mean: SIMD3<Int> { sum / count }
    func value(_ channel: Int) -> Double { Double(sum[channel]) / Double(count) }
}

/// A box of cells that will become one colour.
private struct ColourBox {
    var cells: [ColourCell]
    let count: Int
    /// The channel of the largest variance, and the box's squared error along it.
    let axis: Int
    let error: Double

    init(_ cells: [ColourCell]) {
        self.cells = cells
        let count = cells.reduce(0) { $0 + $1.count }
        self.count = count
        let errors = (0..<3).map { channel in
            let mean = cells.reduce(0) { $0 + Double($1.sum[channel]) } / Double(count)
            return cells.reduce(0) {
                $0 + Double($1.count) * ($1.value(channel) - mean) * ($1.value(channel) - mean)
            }
        }
        axis = errors.indices.max { errors[$0] < errors[$1] } ?? 0
        error = cells.count > 1 ? errors[axis] : 0
    }

    var mean: SIMD3<UInt8> {
        let sum = cells.reduce(SIMD3<Int>.zero) { $0 &+ $1.sum }
        func channel(_ n: Int) -> UInt8 { UInt8((Double(sum[n]) / Double(count)).rounded()) }
        return SIMD3(channel(0), channel(1), channel(2))
    }

    /// Splits the box of the largest error at its median until there are enough boxes.
    static func cut(_ cells: [ColourCell], into limit: Int) -> [ColourBox] {
        var boxes = [ColourBox(cells)]
        while boxes.count < limit {
            guard let worst = boxes.indices.max(by: { boxes[$0].error < boxes[$1].error }),
                boxes[worst].error > 0
            else { break }
            let (low, high) = boxes[worst].halves()
            boxes[worst] = low
            boxes.append(high)
        }
        return boxes
    }

    private func halves() -> (ColourBox, ColourBox) {
        let sorted = cells.sorted { $0.value(axis) < $1.value(axis) }
        var (seen, middle) = (0, 0)
        while middle < sorted.count - 1 && (seen == 0 || seen + sorted[middle].count <= count / 2) {
            seen += sorted[middle].count
            middle += 1
        }
        return (ColourBox(Array(sorted[..<middle])), ColourBox(Array(sorted[middle...])))
    }
}
