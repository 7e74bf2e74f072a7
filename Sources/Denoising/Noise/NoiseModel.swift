import Foundation
import Tensors

/// An interval from which one value per image is drawn.
public struct Interval: Sendable, Hashable, Codable {
    public var low: Double
    public var high: Double

    public init(_ low: Double, _ high: Double) { (self.low, self.high) = (low, high) }
    public init(_ value: Double) { self.init(value, value) }

    /// - Parameter fraction: in 0…1.
    func value(at fraction: Double) -> Double { low + (high - low) * fraction }
}

/// How clean images in 0…1 become noisy. Nothing is clipped.
public enum NoiseModel: Sendable, Hashable {
    /// y = x + σ/255·n with σ on the 0–255 scale, one draw per image: a single value for a model of one noise level,
    /// 0…55 for blind ones, 0…75 for those that are told the level.
    case gaussian(sigma: Interval)
    /// The same with σ varying over the image: bilinear between four corners drawn from the interval.
    case gaussianField(sigma: Interval)
    /// y = Poisson(v·x)/v with v = 10^e photons at white (KAIR draws e from 2…4).
    case poisson(exponent: Interval)
    /// y = x + √(a·x + b)·n, the usual approximation of shot and read noise.
    case poissonGaussian(a: Interval, b: Interval)
    /// The same with a and b as cameras have them; for linear images.
    case camera(CameraNoisePrior)
}

/// Noisy images and what is known of their noise.
public struct NoisyImages: Sendable {
    /// `[N, H, W, C]`
    public var images: Tensor
    /// Standard deviation for values in 0…1: `[N, 1]`, or `[N, H, W, 1]` where it varies over the image whatever is in
    /// it. For noise that depends on the signal, the root of its mean variance.
    public var level: Tensor
}

extension NoiseModel {
    /// - Parameters:
    ///   - clean: `[N, H, W, C]` in 0…1.
    ///   - streams: one per image, so that an image's noise does not depend on the batch it is in.
    public func apply(to clean: Tensor, _ streams: [RandomStream]) -> NoisyImages {
        precondition(
            clean.shape.rank == 4 && streams.count == clean.shape[0],
            "one random stream for each image of \(clean.shape), given \(streams.count)")
        let (n, h, w) = (clean.shape[0], clean.shape[1], clean.shape[2])
        var images: [Float] = []
        var levels: [Float] = []
        for (index, stream) in streams.enumerated() {
            let x = clean.samples(index..<index + 1)
            let (image, level) = noisy(x, stream)
            images += image
            levels += level
        }
        let hasField = if case .gaussianField = self { true } else { false }
        return NoisyImages(
            images: Tensor(shape: clean.shape, scalars: images),
            level: Tensor(shape: hasField ? [n, h, w, 1] : [n, 1], scalars: levels))
    }

    /// One image `[1, H, W, C]` with noise, and its level.
    private func noisy(_ x: Tensor, _ stream: RandomStream) -> ([Float], level: [Float]) {
        let draws = stream.stream(named: "level")
        func draw(_ interval: Interval, _ index: UInt64 = 0) -> Double {
            interval.value(at: draws.uniformDouble(at: index))
        }
        let normals = stream.stream(named: "noise")
        switch self {
        case .gaussian(let sigma):
            let level = Float(draw(sigma) / 255)
            return ((x + normals.normals(x.shape) * level).scalars, [level])
        case .gaussianField(let sigma):
            let corners = (0..<4).map { Float(draw(sigma, $0) / 255) }
            let field = Self.bilinear(corners, height: x.shape[1], width: x.shape[2])
            let spread = normals.normals(x.shape).scalars
            let channels = x.shape[3]
            return (
                x.scalars.enumerated().map { $1 + field[$0 / channels] * spread[$0] }, field
            )
        case .poisson(let exponent):
            let photons = pow(10, draw(exponent))
            var sampler = PoissonSampler(normals)
            let values = x.scalars.map {
                Float(sampler.draw(mean: photons * max(0, Double($0))) / photons)
            }
            let mean = max(0, Double(x.detached.mean().item))
            return (values, [Float((mean / photons).squareRoot())])
        case .poissonGaussian(let a, let b):
            return Self.heteroscedastic(x, a: draw(a, 0), b: draw(b, 1), normals)
        case .camera(let prior):
            let (a, b) = prior.levels(
                uniform: draws.uniformDouble(at: 0), normal: Double(draws.stream(1).normal(at: 0)))
            return Self.heteroscedastic(x, a: a, b: b, normals)
        }
    }

    private static func heteroscedastic(_ x: Tensor, a: Double, b: Double, _ stream: RandomStream) -> (
        [Float], level: [Float]
    ) {
        let noise = stream.normals(x.shape).scalars
        var variances = 0.0
        let values = zip(x.scalars, noise).map { value, n -> Float in
            let variance = max(0, a * Double(value) + b)
            variances += variance
            return Float(Double(value) + variance.squareRoot() * Double(n))
        }
        return (values, [Float((variances / Double(max(1, values.count))).squareRoot())])
    }

    /// Values between four corners (top left, top right, bottom left, bottom right).
    private static func bilinear(_ corners: [Float], height: Int, width: Int) -> [Float] {
        (0..<height * width).map { index in
            let (v, u) = (
                Float(index / width) / Float(max(1, height - 1)),
                Float(index % width) / Float(max(1, width - 1))
            )
            let (top, bottom) = (
                corners[0] + u * (corners[1] - corners[0]), corners[2] + u * (corners[3] - corners[2])
            )
            return top + v * (bottom - top)
        }
    }
}
