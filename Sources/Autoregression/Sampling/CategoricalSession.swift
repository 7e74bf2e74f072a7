import Foundation
import Layers
import Tensors

/// Where the random numbers of discrete sampling come from.
public protocol TokenRandomness: Sendable {
    /// One number from [0, 1) per position, image after image.
    func uniforms(level: Int, images: Int, positions: Int) -> [Double]
    /// One standard Gumbel number per position and code, for the smooth mode.
    func gumbels(level: Int, images: Int, positions: Int, codes: Int) -> [Float]
}

/// Numbers that depend on an image's seed, the level and the position only.
public struct SeededTokenRandomness: TokenRandomness {
    public let seeds: [UInt64]

    /// - Parameter seeds: one per image.
    public init(seeds: [UInt64]) { self.seeds = seeds }

    public func uniforms(level: Int, images: Int, positions: Int) -> [Double] {
        seeds.flatMap { seed in
            let stream = RandomStream(seed: seed).stream(named: "tokens").stream(UInt64(level))
            return (0..<positions).map { stream.uniformDouble(at: UInt64($0)) }
        }
    }

    public func gumbels(level: Int, images: Int, positions: Int, codes: Int) -> [Float] {
        seeds.flatMap { seed in
            let stream = RandomStream(seed: seed).stream(named: "gumbel").stream(UInt64(level))
            return (0..<positions * codes).map {
                Float(-log(-log(stream.uniformDouble(at: UInt64($0)))))
            }
        }
    }
}

/// How discrete levels are drawn.
public struct CategoricalSampling: Codable, Hashable, Sendable {
    public var guidance = LevelGuidance()
    public var filter = TokenFilter()
    /// Mixes codes by a sharpened softmax instead of choosing one: smoother pictures, not what a model is
    /// scored with.
    public var isSmooth = false

    public init(
        guidance: LevelGuidance = LevelGuidance(), filter: TokenFilter = TokenFilter(), isSmooth: Bool = false
    ) {
        self.guidance = guidance
        self.filter = filter
        self.isSmooth = isSmooth
    }
}

/// Draws images of codes: logits from a predictor, guidance, filter, one draw per position, and the
/// quantiser's sum.
public final class CategoricalSession: LevelSession {
    /// What one level did, for checks.
    public struct Trace: Sendable {
        /// Guided scores before the filter, `[N, h·w, K]`.
        public var logits: Tensor
        /// The same after it.
        public var filtered: Tensor
        public var indices: [Int]
        /// The sum of all levels so far, `[N, H, W, C]`.
        public var accumulated: Tensor
        /// That sum at the size of the next level.
        public var next: Tensor?
    }

    public let quantizer: MultiScaleQuantizer
    public let settings: CategoricalSampling
    /// The last level drawn.
    public private(set) var trace: Trace?
    private let prediction: any LevelPrediction
    private let randomness: any TokenRandomness
    private let imageCount: Int
    private let isGuided: Bool
    private let decode: @Sendable (Tensor) -> Tensor
    private var level = 0
    private var sum: Tensor?

    /// - Parameters:
    ///   - labels: a class per image; nil for none.
    ///   - decode: latents to images, for previews and results.
    public init(
        _ predictor: any LevelPredictor, quantizer: MultiScaleQuantizer, labels: [Int?],
        settings: CategoricalSampling, randomness: any TokenRandomness,
        decode: @escaping @Sendable (Tensor) -> Tensor = { $0 }
    ) {
        self.quantizer = quantizer
        self.settings = settings
        self.randomness = randomness
        self.decode = decode
        imageCount = labels.count
        isGuided = settings.guidance.strength != 0
        prediction = predictor.begin(labels: isGuided ? labels + labels.map { _ in nil } : labels)
    }

    public var levelCount: Int { quantizer.levelCount }

    /// The latents so far; zeros before the first level.
    public var latents: Tensor {
        let finest = quantizer.pyramid.finest
        return sum ?? .zeros([imageCount, finest.height, finest.width, quantizer.configuration.channels])
    }

    public var image: @Sendable () -> Tensor {
        let (latents, decode) = (latents, decode)
        return { decode(latents) }
    }

    public func draw() {
        let positions = quantizer.pyramid.grids[level].count
        let logits = guided(scores())
        let codes = quantizer.configuration.vocabulary
        let filtered = logits.withScalars { scores in
            (0..<imageCount * positions).flatMap {
                settings.filter(Array(scores[$0 * codes..<($0 + 1) * codes]))
            }
        }
        let draws = randomness.uniforms(level: level, images: imageCount, positions: positions)
        let indices = draws.enumerated().map { row, u in
            drawIndex(Array(filtered[row * codes..<(row + 1) * codes]), at: u)
        }
        let vectors = settings.isSmooth ? mixed(filtered) : quantizer.codes(indices, level: level).detached
        add(vectors)
        trace = Trace(
            logits: logits, filtered: Tensor(shape: logits.shape, scalars: filtered), indices: indices,
            accumulated: latents, next: quantizer.nextInput(latents, after: level))
        level += 1
    }

    /// Takes the codes that the quantiser finds for given latents.
    public func keep(_ latents: Tensor) {
        _ = scores()  // The predictor has to see every level, also those it does not draw.
        let source =
            quantizer.configuration.usesBands ? quantizer.pyramid.lowpass(latents, level: level) : latents
        let target = quantizer.pyramid.down(sum.map { source - $0 } ?? source, to: level)
        add(quantizer.codes(quantizer.nearestCodes(to: target), level: level).detached)
        trace = nil
        level += 1
    }

    private func add(_ vectors: Tensor) {
        let added = quantizer.contribution(vectors, level: level).detached
        sum = sum.map { $0 + added } ?? added
    }

    private func scores() -> Tensor {
        let input = level == 0 ? nil : quantizer.nextInput(latents, after: level - 1)
        let doubled = isGuided ? input.map { .concatenateSamples([$0, $0]) } : input
        return prediction.logits(level: level, input: doubled)
    }

    private func guided(_ logits: Tensor) -> Tensor {
        guard isGuided else { return logits }
        let t = Float(settings.guidance.strength(level: level, of: levelCount))
        return logits.samples(0..<imageCount) * (1 + t) - logits.samples(imageCount..<2 * imageCount) * t
    }

    /// Σ softmax((scores·(1 + r) + Gumbel)/τ)·code, τ falling with the level.
    private func mixed(_ filtered: [Float]) -> Tensor {
        let ratio = levelRatio(level, of: levelCount)
        let temperature = Float(max(0.27 * (1 - 0.95 * ratio), 0.005))
        let (grid, codes) = (quantizer.pyramid.grids[level], quantizer.configuration.vocabulary)
        let noise = randomness.gumbels(level: level, images: imageCount, positions: grid.count, codes: codes)
        var weights: [Float] = []
        weights.reserveCapacity(filtered.count)
        for row in 0..<imageCount * grid.count {
            let scores = (row * codes..<(row + 1) * codes).map { place -> Float in
                (filtered[place] * Float(1 + ratio) + noise[place]) / temperature
            }
            weights += softmax(scores).map { Float($0) }
        }
        let mix = Tensor(shape: [imageCount * grid.count, codes], scalars: weights)
        return mix.multiplied(by: quantizer.codebook.detached).reshaped([
            imageCount, grid.height, grid.width, quantizer.configuration.channels,
        ])
    }
}
