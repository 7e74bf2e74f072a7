import Foundation

/// The Gaussian window of structural similarity: 11 taps, σ 1.5, sum 1.
enum SimilarityWindow {
    static let size = 11
    static let taps: [Double] = {
        let raw = (0..<size).map { exp(-Double(($0 - size / 2) * ($0 - size / 2)) / (2 * 1.5 * 1.5)) }
        let sum = raw.reduce(0, +)
        return raw.map { $0 / sum }
    }()
}

/// What a window does where it leaves the image.
enum SimilarityBorder { case valid, replicate }

/// Local means of structural similarity and of its contrast-structure part.
struct SimilarityMaps {
    let meanSimilarity: Double
    let meanContrastStructure: Double

    init(_ a: Plane, _ b: Plane, peak: Double, border: SimilarityBorder) {
        self.init(a.values, b.values, peak: peak) { values in
            Plane(height: a.height, width: a.width, values: values).blurred(border).values
        }
    }

    /// Windows over height, width and channels, borders replicated.
    init(volume a: PixelGrid, _ b: PixelGrid, peak: Double) {
        self.init(a.values, b.values, peak: peak) { values in
            // Rows of the plane are (h, w), columns are channels: one direction per pass.
            let channels = convolved(
                values, outer: a.height * a.width, length: a.channels, inner: 1, .replicate)
            let columns = convolved(
                channels, outer: a.height, length: a.width, inner: a.channels, .replicate)
            return convolved(columns, outer: 1, length: a.height, inner: a.width * a.channels, .replicate)
        }
    }

    private init(_ x: [Double], _ y: [Double], peak: Double, blur: ([Double]) -> [Double]) {
        let (c1, c2) = ((0.01 * peak) * (0.01 * peak), (0.03 * peak) * (0.03 * peak))
        let (meanX, meanY) = (blur(x), blur(y))
        let squareX = blur(x.map { $0 * $0 })
        let squareY = blur(y.map { $0 * $0 })
        let product = blur(zip(x, y).map { $0 * $1 })
        var (similarity, contrast) = (0.0, 0.0)
        for i in meanX.indices {
            let (mx, my) = (meanX[i], meanY[i])
            let (vx, vy, cov) = (squareX[i] - mx * mx, squareY[i] - my * my, product[i] - mx * my)
            let structure = (2 * cov + c2) / (vx + vy + c2)
            contrast += structure
            similarity += structure * (2 * mx * my + c1) / (mx * mx + my * my + c1)
        }
        meanSimilarity = similarity / Double(meanX.count)
        meanContrastStructure = contrast / Double(meanX.count)
    }
}

extension Plane {
    func blurred(_ border: SimilarityBorder) -> Plane {
        let rows = convolved(values, outer: height, length: width, inner: 1, border)
        let newWidth = border == .valid ? width - SimilarityWindow.size + 1 : width
        let both = convolved(rows, outer: 1, length: height, inner: newWidth, border)
        return Plane(height: both.count / newWidth, width: newWidth, values: both)
    }

    /// 2×2 means with stride 2; an odd extent gets a zero on both ends, which counts in the mean.
    var halved: Plane {
        let (top, left) = (height % 2, width % 2)
        let (h, w) = ((height + 2 * top) / 2, (width + 2 * left) / 2)
        var result = [Double](repeating: 0, count: h * w)
        for y in 0..<height {
            for x in 0..<width {
                let target = (y + top) / 2 * w + (x + left) / 2
                if target < h * w, (x + left) / 2 < w { result[target] += values[y * width + x] / 4 }
            }
        }
        return Plane(height: h, width: w, values: result)
    }
}

/// The window along the middle axis of `[outer, length, inner]`.
private func convolved(
    _ values: [Double], outer: Int, length: Int, inner: Int, _ border: SimilarityBorder
) -> [Double] {
    let taps = SimilarityWindow.taps
    let half = border == .valid ? 0 : taps.count / 2
    let count = border == .valid ? length - taps.count + 1 : length
    var result = [Double](repeating: 0, count: outer * count * inner)
    for o in 0..<outer {
        for position in 0..<count {
            let target = (o * count + position) * inner
            for (k, tap) in taps.enumerated() {
                let source = (o * length + min(max(position + k - half, 0), length - 1)) * inner
                for i in 0..<inner { result[target + i] += tap * values[source + i] }
            }
        }
    }
    return result
}
