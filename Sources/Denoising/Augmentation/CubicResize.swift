import Foundation

/// OpenCV's bicubic resize of 8-bit images (`INTER_CUBIC`: a = −0.75, no antialiasing, replicated borders), with which
/// cszn/DnCNN's `data_generator.py` makes the scales of its training patches.
///
/// Weights in 11-bit fixed point and one rounding at the end, as OpenCV's plain code has them; its vector code may
/// differ by one.
public enum CubicResize {
    /// The scales of the published training set.
    public static let trainingScales = [1, 0.9, 0.8, 0.7]

    /// - Parameter image: `[height, width, channels]`.
    /// - Returns: `[toHeight, toWidth, channels]`.
    public static func resized(
        _ image: [UInt8], height: Int, width: Int, channels: Int = 1, toHeight: Int, toWidth: Int
    ) -> [UInt8] {
        precondition(
            image.count == height * width * channels,
            "\(image.count) samples are no \(height)×\(width)×\(channels)")
        let columns = taps(from: width, to: toWidth)
        let rows = taps(from: height, to: toHeight)
        var lines = [Int](repeating: 0, count: height * toWidth * channels)
        for y in 0..<height {
            for (x, tap) in columns.enumerated() {
                for c in 0..<channels {
                    var sum = 0
                    for k in 0..<4 {
                        sum += tap.weights[k] * Int(image[(y * width + tap.sources[k]) * channels + c])
                    }
                    lines[(y * toWidth + x) * channels + c] = sum
                }
            }
        }
        var result = [UInt8](repeating: 0, count: toHeight * toWidth * channels)
        let line = toWidth * channels
        for (y, tap) in rows.enumerated() {
            for x in 0..<line {
                var sum = 1 << 21
                for k in 0..<4 { sum += tap.weights[k] * lines[tap.sources[k] * line + x] }
                result[y * line + x] = UInt8(min(max(sum >> 22, 0), 255))
            }
        }
        return result
    }

    private static func taps(from count: Int, to newCount: Int) -> [(sources: [Int], weights: [Int])] {
        let scale = Double(count) / Double(newCount)
        return (0..<newCount).map { index in
            let position = Float((Double(index) + 0.5) * scale - 0.5)
            let first = Int(position.rounded(.down))
            let t = position - Float(first)
            let a: Float = -0.75
            let near0 = ((a + 2) * t - (a + 3)) * t * t + 1
            let far0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a
            let u = 1 - t
            let near1 = ((a + 2) * u - (a + 3)) * u * u + 1
            let weights = [far0, near0, near1, 1 - far0 - near0 - near1]
            return (
                (0..<4).map { min(max(first - 1 + $0, 0), count - 1) },
                weights.map { Int(($0 * 2048).rounded(.toNearestOrEven)) }
            )
        }
    }
}
