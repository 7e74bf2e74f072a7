import Foundation
import Tensors

/// Noise that is the same on every machine: SplitMix64 as a counter, Box–Muller in double precision.
///
/// Published figures of this project are measured with it. Word k of stream `seed` is SplitMix64's finaliser of
/// seed + (k + 1)·0x9E3779B97F4A7C15; normals come in pairs, n₂ⱼ = r cos θ and n₂ⱼ₊₁ = r sin θ.
public struct CounterNoise: Sendable, Hashable {
    public var seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    /// The noise of image `index` of a data set (names sorted bytewise) under realisation `realisation`.
    public init(realisation: Int, image index: Int) { seed = UInt64(1_000_000 * realisation + index) }

    public func word(_ index: UInt64) -> UInt64 {
        var z = seed &+ (index &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// In (0, 1).
    public func uniform(_ index: UInt64) -> Double { (Double(word(index) >> 11) + 0.5) * 0x1p-53 }

    /// The first `count` standard normal numbers.
    public func normals(_ count: Int) -> [Double] { normals(0..<count) }

    /// Some of the standard normal numbers: part of an image, or of one too large to be held.
    public func normals(_ range: Range<Int>) -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(range.count + 2)
        for pair in UInt64(range.lowerBound / 2)..<UInt64((range.upperBound + 1) / 2) {
            let r = (-2 * log(uniform(2 * pair))).squareRoot()
            let angle = 2 * Double.pi * uniform(2 * pair + 1)
            result.append(r * cos(angle))
            result.append(r * sin(angle))
        }
        return Array(result.dropFirst(range.lowerBound % 2).prefix(range.count))
    }

    /// Standard normal numbers for one image, dealt out plane by plane as the files of the reference are:
    /// `[H, W, C]` values in memory order.
    public func normals(height: Int, width: Int, channels: Int) -> [Double] {
        let planar = normals(height * width * channels)
        guard channels > 1 else { return planar }
        return (0..<planar.count).map { planar[$0 % channels * height * width + $0 / channels] }
    }

    /// `[1, H, W, C]` from 8-bit samples: sample/255 + σ/255·n, formed in double precision.
    /// - Parameter sigma: on the 0–255 scale.
    public func noisy(bytes: [UInt8], height: Int, width: Int, channels: Int, sigma: Double) -> Tensor {
        precondition(
            bytes.count == height * width * channels,
            "\(bytes.count) samples are no \(height)×\(width)×\(channels)")
        let noise = normals(height: height, width: width, channels: channels)
        return Tensor(
            shape: [1, height, width, channels],
            scalars: zip(bytes, noise).map { Float(Double($0) / 255 + sigma / 255 * $1) })
    }
}
