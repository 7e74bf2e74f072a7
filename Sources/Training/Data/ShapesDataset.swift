import Glibc
import Images
import Tensors

/// Coloured shapes on coloured grounds, drawn when asked for: data to try a training with, without a download.
///
/// Ten classes, told by the outline alone. Image `i` has the class `i % 10`; its colours, size, place and turn depend on
/// (seed, `i`). Edges are smoothed by 4×4 samples per pixel.
public struct ShapesDataset: ImageDataset {
    public let source = "shapes"
    public let count: Int
    public let width: Int
    public let height: Int
    private let random: RandomStream

    public init(count: Int = 50_000, width: Int = 32, height: Int = 32, seed: UInt64 = 0) throws {
        guard count > 0, width > 0, height > 0 else {
            throw DatasetError(
                "shapes", "\(count) images of \(width)×\(height) are asked for",
                remedy: "give positive numbers")
        }
        self.count = count
        self.width = width
        self.height = height
        random = RandomStream(seed: seed).stream(named: "shapes")
    }

    public var classNames: [String] { Outline.allCases.map(\.rawValue) }
    public func label(at index: Int) -> Int? { index % Outline.allCases.count }
    public func name(at index: Int) -> String { "shapes, image \(index)" }

    public func image(at index: Int) throws -> Image {
        let outline = Outline.allCases[index % Outline.allCases.count]
        let stream = random.stream(UInt64(index))
        func draw(_ number: UInt64, _ range: ClosedRange<Double>) -> Double {
            range.lowerBound + (range.upperBound - range.lowerBound) * stream.uniformDouble(at: number)
        }
        let extent = Double(min(width, height))
        let radius = extent * draw(0, 0.26...0.40)
        let centerX = Double(width) / 2 + extent * draw(1, -0.1...0.1)
        let centerY = Double(height) / 2 + extent * draw(2, -0.1...0.1)
        let angle = draw(3, -0.35...0.35)
        let hue = draw(4, 0...1)
        let front = color(hue: hue, saturation: draw(5, 0.6...1), value: draw(6, 0.75...1))
        let ground = color(
            hue: hue + draw(7, 0.25...0.75), saturation: draw(8, 0.2...0.7), value: draw(9, 0.1...0.5))

        let (cosine, sine) = (cos(angle) / radius, sin(angle) / radius)
        var samples: [UInt8] = []
        samples.reserveCapacity(width * height * 3)
        for y in 0..<height {
            for x in 0..<width {
                var inside = 0
                for sample in 0..<16 {
                    let u = Double(x) + (Double(sample % 4) + 0.5) / 4 - centerX
                    let v = Double(y) + (Double(sample / 4) + 0.5) / 4 - centerY
                    if outline.contains(u * cosine + v * sine, v * cosine - u * sine) { inside += 1 }
                }
                let share = Double(inside) / 16
                for c in 0..<3 {
                    samples.append(UInt8((255 * (ground[c] + (front[c] - ground[c]) * share)).rounded()))
                }
            }
        }
        return Image(width: width, height: height, channels: 3, samples: samples)
    }

    /// RGB in 0…1 from hue (one turn is 1), saturation and value.
    private func color(hue: Double, saturation: Double, value: Double) -> SIMD3<Double> {
        func channel(_ offset: Double) -> Double {
            let k = (offset + hue * 6).truncatingRemainder(dividingBy: 6)
            return value * (1 - saturation * max(0, min(k, 4 - k, 1)))
        }
        return SIMD3(channel(5), channel(3), channel(1))
    }
}

/// The shapes, in label order, each within the unit circle; y points down.
private enum Outline: String, CaseIterable {
    case circle, square, triangle, diamond, pentagon, star, ring, cross, crescent, heart

    func contains(_ x: Double, _ y: Double) -> Bool {
        let distance = (x * x + y * y).squareRoot()
        switch self {
        case .circle: return distance < 0.9
        case .square: return max(abs(x), abs(y)) < 0.75
        case .triangle: return polygon(3, x, y) < 0.5
        case .diamond: return abs(x) / 0.65 + abs(y) < 1
        case .pentagon: return polygon(5, x, y) < 0.8
        case .star: return star(x, y)
        case .ring: return distance < 0.95 && distance > 0.55
        case .cross: return min(abs(x), abs(y)) < 0.28 && max(abs(x), abs(y)) < 0.9
        case .crescent: return distance < 0.95 && ((x - 0.45) * (x - 0.45) + y * y).squareRoot() > 0.75
        case .heart:
            let (a, b) = (x * 1.25, -y * 1.25 + 0.15)
            let c = a * a + b * b - 1
            return c * c * c - a * a * b * b * b < 0
        }
    }

    /// The distance from the middle, measured across the nearest side of a regular polygon with a corner on top.
    private func polygon(_ sides: Double, _ x: Double, _ y: Double) -> Double {
        let step = 2 * Double.pi / sides
        let angle = atan2(x, -y)
        let middle = ((angle / step).rounded(.down) + 0.5) * step
        return (x * x + y * y).squareRoot() * cos(angle - middle)
    }

    /// A five-pointed star: each tenth of a turn is a triangle from a tip at 1 to a notch at 0.4.
    private func star(_ x: Double, _ y: Double) -> Bool {
        let half = Double.pi / 5
        let angle = abs(atan2(x, -y))
        let folded = abs((angle / (2 * half)).rounded() * 2 * half - angle)
        let (u, v) = ((x * x + y * y).squareRoot() * cos(folded), (x * x + y * y).squareRoot() * sin(folded))
        let (notchX, notchY) = (0.4 * cos(half), 0.4 * sin(half))
        return (u - 1) * notchY - (notchX - 1) * v < 0
    }
}
