import Layers

/// What a multi-scale residual quantiser is built from.
public struct QuantizerConfiguration: Codable, Hashable, Sendable {
    /// Codes in the codebook, one for all levels.
    public var vocabulary: Int
    /// Channels of a code, and of the latent.
    public var channels: Int
    public var pyramid: PyramidConfiguration
    /// Whether each level's target adds its frequency band (NFIG); without, the whole latent is there from the
    /// first level on, which is VAR's quantiser.
    public var usesBands: Bool
    /// ρ: share of the convolution in φ(h) = (1 − ρ)·h + ρ·conv(h); 0 for no φ.
    public var refinement: Float
    /// How many φ the levels share: 1 is one for all, 0 is one for each level.
    public var refinements: Int
    /// Whether codes are chosen by their direction alone.
    public var normalizesCodes: Bool
    /// β: weight of what pulls the latent towards its code.
    public var commitment: Float

    public init(
        vocabulary: Int = 4096, channels: Int = 32, pyramid: PyramidConfiguration = .var256,
        usesBands: Bool = true, refinement: Float = 0.5, refinements: Int = 4, normalizesCodes: Bool = false,
        commitment: Float = 0.25
    ) {
        self.vocabulary = vocabulary
        self.channels = channels
        self.pyramid = pyramid
        self.usesBands = usesBands
        self.refinement = refinement
        self.refinements = refinements
        self.normalizesCodes = normalizesCodes
        self.commitment = commitment
    }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        try require(vocabulary > 0, "vocabulary", "at least 1, found \(vocabulary)")
        try require(channels > 0, "channels", "at least 1, found \(channels)")
        try require((0...1).contains(refinement), "refinement", "from 0 to 1, found \(refinement)")
        try require(refinements >= 0, "refinements", "at least 0, found \(refinements)")
        try require(commitment >= 0, "commitment", "at least 0, found \(commitment)")
        try pyramid.validate()
    }

    /// Number of φ there are: one for each level where `refinements` is 0.
    public var refinementCount: Int {
        refinement == 0 ? 0 : refinements == 0 ? pyramid.grids.count : refinements
    }
}

extension QuantizerConfiguration {
    /// Which φ each level uses: the one whose tick is nearest to the level's place among all levels
    /// (FoundationVision/VAR, `models/quant.py`).
    public static func slots(refinements count: Int, levels: Int) -> [Int] {
        guard count > 0 else { return [] }
        // The released code spaces four φ differently from any other number.
        let margin = count == 4 ? 1 / 3.0 / Double(count) : 1 / 2.0 / Double(count)
        let step = count > 1 ? ((1 - margin) - margin) / Double(count - 1) : 0
        let ticks = (0..<count).map { $0 == count - 1 && count > 1 ? 1 - margin : Double($0) * step + margin }
        return (0..<levels).map { level in
            let place = levels > 1 ? Double(level) / Double(levels - 1) : 0
            var best = 0
            for slot in 1..<max(1, count) where abs(ticks[slot] - place) < abs(ticks[best] - place) {
                best = slot
            }
            return best
        }
    }
}
