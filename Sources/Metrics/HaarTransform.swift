/// One plane of numbers, `[H, W]`.
struct Plane {
    var height: Int
    var width: Int
    var values: [Double]

    /// Means over a grid of `rows` × `columns` equal cells, row-major.
    func gridMeans(_ rows: Int, _ columns: Int) -> [Double] {
        let (cellHeight, cellWidth) = (height / rows, width / columns)
        var sums = [Double](repeating: 0, count: rows * columns)
        for y in 0..<rows * cellHeight {
            for x in 0..<columns * cellWidth {
                sums[y / cellHeight * columns + x / cellWidth] += values[y * width + x]
            }
        }
        return sums.map { $0 / Double(cellHeight * cellWidth) }
    }

    var magnitudes: Plane { Plane(height: height, width: width, values: values.map(abs)) }

    /// One level of the orthonormal Haar transform: low-pass, then horizontal-edge, vertical-edge and diagonal
    /// bands of half the size. Of each block [[p, q], [r, s]]: a = (p+q+r+s)/2, h = (p+q−r−s)/2,
    /// v = (p−q+r−s)/2, d = (p−q−r+s)/2. Height and width are even.
    func haar() -> [Plane] {
        let (h, w) = (height / 2, width / 2)
        var bands = [[Double]](repeating: [Double](repeating: 0, count: h * w), count: 4)
        for y in 0..<h {
            for x in 0..<w {
                let at = 2 * y * width + 2 * x
                let (p, q, r, s) = (values[at], values[at + 1], values[at + width], values[at + width + 1])
                bands[0][y * w + x] = (p + q + r + s) / 2
                bands[1][y * w + x] = (p + q - r - s) / 2
                bands[2][y * w + x] = (p - q + r - s) / 2
                bands[3][y * w + x] = (p - q - r + s) / 2
            }
        }
        return bands.map { Plane(height: h, width: w, values: $0) }
    }
}
