import Layers
import Tensors

/// The residual quantiser of VAR (arXiv 2404.02905) and NFIG (arXiv 2503.07076): a latent as one map of codes
/// per level, each level coding what its band and the errors of the coarser levels leave (`specs/nfig.md`,
/// section 5).
///
/// Parameters `embedding.weight [K, C]` and the φ: `quant_resi.qresi_ls.S`, `quant_resi.qresi` for one,
/// `quant_resi.J` for one per level; buffer `ema_vocab_hit_SV [n, K]`, statistics of training.
public struct MultiScaleQuantizer: Sendable {
    public let configuration: QuantizerConfiguration
    public let pyramid: FrequencyPyramid
    /// `[K, C]`
    public let codebook: Tensor
    /// Running count of each code's use per level, `[n, K]`.
    public let usage: Tensor
    private let refinements: [Convolution]
    private let slots: [Int]

    /// - Throws: `ConfigurationError` naming the field that cannot be.
    public init(_ scope: Scope, _ configuration: QuantizerConfiguration) throws {
        try configuration.validate()
        self.configuration = configuration
        pyramid = try FrequencyPyramid(configuration.pyramid)
        let bound = 1 / Float(configuration.vocabulary)
        codebook = (scope / "embedding").parameter(
            "weight", [configuration.vocabulary, configuration.channels], .uniform(low: -bound, high: bound))
        let count = configuration.refinementCount
        let fan = 1 / Float(9 * configuration.channels).squareRoot()
        refinements = (0..<count).map { slot in
            let name =
                configuration.refinements == 0
                ? "\(slot)" : configuration.refinements == 1 ? "qresi" : "qresi_ls.\(slot)"
            return Convolution(
                scope / "quant_resi" / name, configuration.channels, configuration.channels, kernel: 3,
                weight: .uniform(low: -fan, high: fan))
        }
        slots = QuantizerConfiguration.slots(refinements: count, levels: pyramid.levelCount)
        usage = scope.buffer(
            "ema_vocab_hit_SV", [pyramid.levelCount, configuration.vocabulary], .zeros, isOptional: true)
    }

    public var levelCount: Int { pyramid.levelCount }

    /// Which φ each level uses; empty without φ.
    public var refinementSlots: [Int] { slots }

    /// φ of a level.
    public func refine(_ h: Tensor, level: Int) -> Tensor {
        guard !refinements.isEmpty else { return h }
        let rho = configuration.refinement
        return h * (1 - rho) + refinements[slots[level]](h) * rho
    }

    /// What a level's codes add to the latent: φ(up(v)).
    /// - Parameter codes: code vectors `[N, h, w, C]`.
    public func contribution(_ codes: Tensor, level: Int) -> Tensor {
        refine(pyramid.up(codes, from: level), level: level)
    }

    /// The code vectors of some indices, row by row.
    public func codes(_ indices: [Int], level: Int) -> Tensor {
        let grid = pyramid.grids[level]
        return codebook.gatheringRows(indices).reshaped([
            indices.count / grid.count, grid.height, grid.width, configuration.channels,
        ])
    }

    /// What the next level is told: the accumulated latent at its size; nil after the last.
    public func nextInput(_ accumulated: Tensor, after level: Int) -> Tensor? {
        level + 1 < levelCount ? pyramid.down(accumulated, to: level + 1) : nil
    }

    /// The nearest code of every position of `v [N, h, w, C]`; the first of equals.
    public func nearestCodes(to v: Tensor) -> [Int] {
        let rows = v.detached.reshaped([v.shape.rows, v.shape.channels])
        let isNormal = configuration.normalizesCodes
        let book = isNormal ? codebook.detached.l2Normalized() : codebook.detached
        let products = (isNormal ? rows.l2Normalized() : rows).linear(book)
        let size = configuration.vocabulary
        let lengths =
            isNormal
            ? [Float](repeating: 0, count: size)
            : (0..<size).map { Float(Tensor.dot(book.samples($0..<$0 + 1), book.samples($0..<$0 + 1))) }
        return products.withScalars { products in
            (0..<rows.shape[0]).map { row in
                var (best, smallest) = (0, Float.infinity)
                for code in 0..<size {
                    let distance = lengths[code] - 2 * products[row * size + code]
                    if distance < smallest { (best, smallest) = (code, distance) }
                }
                return best
            }
        }
    }
}

extension MultiScaleQuantizer {
    /// A quantised batch.
    public struct Quantization: Sendable {
        /// Codes per level, row by row, sample after sample.
        public var indices: [[Int]] = []
        /// What the levels up to each one add up to, `[N, H, W, C]`.
        public var accumulated: [Tensor] = []
        /// What each level's target left over.
        public var residuals: [Tensor] = []
        /// Each level's target at its own size.
        public var targets: [Tensor] = []
        /// The quantised latent with the latent's own derivative (straight-through).
        public var latent: Tensor
        /// Mean over levels of β‖L f − sg f̃‖² + ‖sg L f − f̃‖²; shape `[]`.
        public var loss: Tensor
    }

    /// Quantises `f [N, H, W, C]`. Derivatives reach `f` through the straight-through latent and the loss, the
    /// codebook and φ through the loss.
    public func quantize(_ f: Tensor) -> Quantization {
        let source = f.detached
        var result = Quantization(latent: f, loss: .zeros([]))
        var sum: Tensor?
        var previous: Tensor?
        for level in 0..<levelCount {
            // Without bands the whole latent is every level's target.
            let tracked = configuration.usesBands ? pyramid.lowpass(f, level: level) : f
            let lowpass = tracked.detached
            let target = previous.map { lowpass - $0 } ?? lowpass
            let v = pyramid.down(target, to: level)
            let indices = nearestCodes(to: v)
            let added = contribution(codes(indices, level: level), level: level)
            let accumulated = sum.map { $0 + added } ?? added
            let error = (tracked - accumulated.detached).squared.mean() * configuration.commitment
            result.loss = result.loss + error + (accumulated - lowpass).squared.mean()
            result.indices.append(indices)
            result.accumulated.append(accumulated.detached)
            result.residuals.append(lowpass - accumulated.detached)
            result.targets.append(v)
            (sum, previous) = (accumulated, accumulated.detached)
        }
        result.loss = result.loss * (1 / Float(levelCount))
        if let previous { result.latent = f + (previous - source) }
        return result
    }

    /// The latents that codes stand for, after each level.
    public func accumulated(_ indices: [[Int]]) -> [Tensor] {
        var sum: Tensor?
        return indices.enumerated().map { level, indices in
            let added = contribution(codes(indices, level: level), level: level)
            let next = sum.map { $0 + added } ?? added
            sum = next
            return next
        }
    }

    /// The inputs that teach a transformer: the accumulated latent at the size of levels 2, 3, …, row by row
    /// `[N, L − h₁w₁, C]`; nil with a single level.
    public func teacherInputs(_ indices: [[Int]]) -> Tensor? {
        let sums = accumulated(indices)
        let parts = sums.enumerated().compactMap { level, sum in
            nextInput(sum, after: level).map {
                $0.reshaped([$0.shape[0], $0.shape[1] * $0.shape[2], $0.shape[3]])
            }
        }
        return parts.isEmpty ? nil : .concatenateTokens(parts)
    }
}
