import Foundation
import Layers
import Tensors

/// What a convolutional next-frequency predictor is built from.
public struct LevelBackboneConfiguration: Codable, Hashable, Sendable {
    /// The sizes it works at, level by level.
    public var grids: [Grid]
    /// Channels of its input map.
    public var inputChannels: Int
    public var width: Int
    /// DiCo blocks.
    public var depth: Int
    public var mlpRatio: Double = 2
    /// 0 makes an unconditional model.
    public var classCount = 0

    public init(
        grids: [Grid], inputChannels: Int, width: Int, depth: Int, mlpRatio: Double = 2, classCount: Int = 0
    ) {
        self.grids = grids
        self.inputChannels = inputChannels
        self.width = width
        self.depth = depth
        self.mlpRatio = mlpRatio
        self.classCount = classCount
    }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        try require(
            !grids.isEmpty && grids.allSatisfy { $0.count > 0 }, "grids", "at least one grid, found \(grids)")
        try require(inputChannels > 0, "inputChannels", "at least 1, found \(inputChannels)")
        try require(width > 0 && width % 4 == 0, "width", "a positive multiple of 4, found \(width)")
        try require(depth >= 0, "depth", "at least 0, found \(depth)")
        try require(mlpRatio * Double(width) >= 1, "mlpRatio", "positive, found \(mlpRatio)")
        try require(classCount >= 0, "classCount", "at least 0, found \(classCount)")
    }
}

/// One stack of DiCo blocks for all levels of next-frequency generation: the map of the levels before in,
/// features at every position out (`specs/nfig.md`, section 11).
///
/// That map already holds the sum of all coarser levels, so a level needs no other memory (MVAR, arXiv
/// 2505.12742), and the blocks any size down to 1×1. Level and class take the seat that time has in diffusion.
/// Parameters `start`, `stem`, `level_embed.weight [n, W]`, `class_emb.weight [K + 1, W]`, `blocks.J.…`, `norm`.
public struct LevelBackbone: Sendable {
    public let configuration: LevelBackboneConfiguration
    private let start: Tensor
    private let stem: Linear
    private let levels: Tensor
    private let classes: Tensor
    private let blocks: [DiCoBlock]
    private let norm: ChannelNorm

    public init(_ scope: Scope, _ configuration: LevelBackboneConfiguration) {
        self.configuration = configuration
        let (first, width) = (configuration.grids[0], configuration.width)
        let small = Initializer.normal(standardDeviation: 0.02)
        start = scope.parameter("start", [first.height, first.width, width], small)
        stem = Linear(scope / "stem", configuration.inputChannels, width)
        levels = (scope / "level_embed").parameter("weight", [configuration.grids.count, width], small)
        classes = (scope / "class_emb").parameter("weight", [configuration.classCount + 1, width], small)
        blocks = (0..<configuration.depth).map {
            DiCoBlock(scope / "blocks" / $0, channels: width, mlpRatio: configuration.mlpRatio)
        }
        norm = ChannelNorm(scope / "norm", channels: width, epsilon: DiCoBlock.epsilon)
    }

    /// Features `[N, h, w, W]` of a level.
    /// - Parameters:
    ///   - input: `[N, h, w, C]` at the level's size; nil at the first level, which begins from a learned map.
    ///   - labels: nil for "no class" of that row.
    public func callAsFunction(_ input: Tensor?, level: Int, labels: [Int?]) -> Tensor {
        let grid = configuration.grids[level]
        precondition(
            (input == nil) == (level == 0)
                && (input.map {
                    $0.shape == [labels.count, grid.height, grid.width, configuration.inputChannels]
                }
                    ?? true),
            "level \(level + 1) of \(grid) was given \(input?.shape.description ?? "nothing") for \(labels.count) images"
        )
        let condition =
            levels.gatheringRows(labels.map { _ in level })
            + classes.gatheringRows(labels.map { $0 ?? configuration.classCount })
        let x = input.map { stem($0) } ?? start.broadcastSamples(labels.count)
        let size = grid.count * configuration.width
        let placed = (x.reshaped([labels.count, size]) + Self.positions(grid, configuration.width))
            .reshaped([labels.count, grid.height, grid.width, configuration.width])
        return norm(blocks.reduce(placed) { $1($0, condition: condition) })
    }

    /// Sines and cosines of the normalised centres ((y + ½)/h, (x + ½)/w), so that the same place of the image
    /// has the same position at every level.
    static func positions(_ grid: Grid, _ width: Int) -> Tensor {
        let quarter = width / 4
        var values: [Float] = []
        values.reserveCapacity(grid.count * width)
        for y in 0..<grid.height {
            for x in 0..<grid.width {
                for place in [
                    (Float(y) + 0.5) / Float(grid.height), (Float(x) + 0.5) / Float(grid.width),
                ] {
                    // Wavelengths from twice the image down to a thirty-second of it.
                    let angles = (0..<quarter).map {
                        Float.pi * place * pow(64, Float($0) / Float(max(1, quarter - 1)))
                    }
                    values += angles.map { sin($0) } + angles.map { cos($0) }
                }
            }
        }
        return Tensor(shape: [values.count], scalars: values)
    }
}
