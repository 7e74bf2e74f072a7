import Foundation
import Tensors

/// The Fréchet wavelet distance (arXiv 2312.15289): a Fréchet distance for every packet of a Haar wavelet packet
/// transform, averaged. Linear features and Gaussians see second moments only, so this is a diagnostic: a Gaussian
/// model of the data can score better than data.
public struct WaveletPacketDistance: Sendable {
    public let level: Int
    /// Replaces a coefficient c by ln(|c| + 1e-6).
    public let usesLogMagnitude: Bool

    public init(level: Int, usesLogMagnitude: Bool = false) {
        (self.level, self.usesLogMagnitude) = (level, usesLogMagnitude)
    }

    public var packetCount: Int { 1 << (2 * level) }

    /// Names of the packets in order; the first letter is the first level's band: a, h, v or d.
    public var packetNames: [String] {
        (0..<level).reduce([""]) { names, _ in names.flatMap { name in "ahvd".map { name + String($0) } } }
    }

    /// The coefficients of every packet of one image (0…255), each `[C, H/2^L, W/2^L]` flattened.
    /// - Throws: `MetricError` when a side is not divisible by 2^level.
    public func packets(of image: PixelGrid) throws -> [[Double]] {
        guard image.height % (1 << level) == 0, image.width % (1 << level) == 0 else {
            throw MetricError(
                "a wavelet packet transform of level \(level) needs sides divisible by \(1 << level), not "
                    + "\(image.height)×\(image.width); resize the images or lower the level.")
        }
        var packets = [[Double]](repeating: [], count: packetCount)
        for channel in 0..<image.channels {
            let plane = image.plane(channel).map { $0 / 255 }
            var bands = [Plane(height: image.height, width: image.width, values: plane)]
            for _ in 0..<level { bands = bands.flatMap { $0.haar() } }
            for (packet, band) in bands.enumerated() {
                packets[packet] += usesLogMagnitude ? band.values.map { log(abs($0) + 1e-6) } : band.values
            }
        }
        return packets
    }

    /// One matrix of features per packet, a row per image.
    public func features(of images: [PixelGrid]) throws -> [Matrix] {
        let all = try images.map(packets)
        return (0..<packetCount).map { packet in
            Matrix(
                rows: images.count, columns: all.first?[packet].count ?? 0, values: all.flatMap { $0[packet] }
            )
        }
    }

    /// - Returns: the distance of every packet, in the order of `packetNames`, and their mean.
    public func distances(
        _ samples: [PixelGrid], reference: [PixelGrid]
    ) throws -> (perPacket: [Double], mean: Double) {
        let pairs = zip(try features(of: samples), try features(of: reference))
        let distances = try pairs.map { samples, reference in
            try FrechetDistance.between(samples, reference, names: ("samples", "reference")).distance
        }
        return (distances, distances.reduce(0, +) / Double(distances.count))
    }
}
