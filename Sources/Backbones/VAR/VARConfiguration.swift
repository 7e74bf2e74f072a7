import Layers

/// The transformer of VAR (arXiv 2404.02905; FoundationVision/VAR, `models/var.py`), which NFIG uses unchanged.
public struct VARConfiguration: Codable, Hashable, Sendable {
    /// The levels' sizes from coarse to fine.
    public var grids: [Grid]
    /// Blocks.
    public var depth: Int
    public var width: Int
    public var heads: Int
    public var mlpRatio: Double = 4
    /// Codes of the tokenizer.
    public var vocabulary = 4096
    /// Channels of a code.
    public var tokenChannels = 32
    public var classCount = 1000
    /// One modulation layer for all blocks, plus an offset in each (the 512² model).
    public var sharesModulation = false
    /// Queries and keys of length one, with a learned temperature per head.
    public var normalizesQueries = true

    public init(
        grids: [Grid], depth: Int, width: Int? = nil, heads: Int? = nil, mlpRatio: Double = 4,
        vocabulary: Int = 4096, tokenChannels: Int = 32, classCount: Int = 1000,
        sharesModulation: Bool = false,
        normalizesQueries: Bool = true
    ) {
        self.grids = grids
        self.depth = depth
        self.width = width ?? 64 * depth
        self.heads = heads ?? depth
        self.mlpRatio = mlpRatio
        self.vocabulary = vocabulary
        self.tokenChannels = tokenChannels
        self.classCount = classCount
        self.sharesModulation = sharesModulation
        self.normalizesQueries = normalizesQueries
    }

    /// The released models.
    public static let presets: [String: VARConfiguration] = {
        let grids = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16].map { Grid($0) }
        var presets = [16, 20, 24, 30].reduce(into: [String: VARConfiguration]()) {
            $0["var-d\($1)"] = VARConfiguration(grids: grids, depth: $1)
        }
        presets["var-d36"] = VARConfiguration(
            grids: [1, 2, 3, 4, 6, 9, 13, 18, 24, 32].map { Grid($0) }, depth: 36, sharesModulation: true)
        return presets
    }()

    /// Length of the whole sequence.
    public var tokenCount: Int { grids.map(\.count).reduce(0, +) }

    /// Where each level's tokens lie in the sequence.
    public var ranges: [Range<Int>] {
        var start = 0
        return grids.map { grid in
            defer { start += grid.count }
            return start..<start + grid.count
        }
    }

    /// The level of each token.
    public var levelOfToken: [Int] {
        grids.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element.count) }
    }

    /// How many tokens each token sees: those of its own level and of all before (the block-causal mask).
    public var visibleTokens: [Int] { ranges.flatMap { Array(repeating: $0.upperBound, count: $0.count) } }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        try require(
            !grids.isEmpty && grids.allSatisfy { $0.count > 0 }, "grids", "at least one grid, found \(grids)")
        try require(depth >= 0, "depth", "at least 0, found \(depth)")
        try require(
            width > 0 && heads > 0 && width % heads == 0, "width",
            "a positive multiple of heads (\(heads)), found \(width)")
        try require(vocabulary > 0, "vocabulary", "at least 1, found \(vocabulary)")
        try require(tokenChannels > 0, "tokenChannels", "at least 1, found \(tokenChannels)")
        try require(classCount >= 0, "classCount", "at least 0, found \(classCount)")
    }
}
