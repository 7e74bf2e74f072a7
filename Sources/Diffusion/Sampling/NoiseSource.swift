import Tensors

/// Where a sampler's noise comes from.
///
/// A number depends on (draw, sample) only: never on the batch a sample happens to be in, nor on threads.
public protocol NoiseSource: Sendable {
    /// Standard normals in memory order.
    /// - Parameters:
    ///   - draw: 0 for the starting noise, then one number per request of the solver.
    ///   - sample: position in the batch.
    func normals(draw: Int, sample: Int, count: Int) -> [Double]
}

extension NoiseSource {
    /// A whole batch of one draw.
    public func latent(draw: Int, shape: Shape) -> Latent {
        let size = shape[0] == 0 ? 0 : shape.elementCount / shape[0]
        return Latent(
            shape: shape, values: (0..<shape[0]).flatMap { normals(draw: draw, sample: $0, count: size) })
    }
}

/// Noise that was recorded before, for repeating a run of other software number by number.
public struct RecordedNoise: NoiseSource {
    /// Draw 1, 2, …; a request past the end is answered with zeros.
    public var draws: [Latent]

    public init(draws: [Latent]) { self.draws = draws }

    public func normals(draw: Int, sample: Int, count: Int) -> [Double] {
        guard draw >= 1, draw <= draws.count else { return Array(repeating: 0, count: count) }
        return draws[draw - 1].samples(in: sample..<sample + 1).values
    }
}

/// Noise for real runs: every image has its own seed, and its numbers depend on that seed and the draw only.
public struct SeededNoise: NoiseSource {
    /// One seed per sample of the batch.
    public var seeds: [UInt64]

    public init(seeds: [UInt64]) { self.seeds = seeds }

    public func normals(draw: Int, sample: Int, count: Int) -> [Double] {
        let stream = RandomStream(seed: seeds[sample]).stream(named: "sampler").stream(UInt64(draw))
        return stream.normals([count]).withScalars { $0.map(Double.init) }
    }
}
