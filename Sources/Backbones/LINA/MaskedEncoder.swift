import Layers
import Tensors

/// A vision transformer whose first blocks see the condition and the visible tokens only, whose others see all.
///
/// Parameters `patch_embed.proj`, `blocks.i.*`, `norm`.
public struct MaskedEncoder: Sendable {
    public struct Configuration: Hashable, Sendable {
        public var channels: Int
        public var patchSize: Int
        public var width: Int
        /// Mixer of each block.
        public var mixers: [TokenMixerConfiguration]
        /// How many blocks see only what is visible.
        public var visibleDepth: Int
        public var mlpRatio: Double = 4

        public init(
            channels: Int, patchSize: Int, width: Int, mixers: [TokenMixerConfiguration], visibleDepth: Int
        ) {
            self.channels = channels
            self.patchSize = patchSize
            self.width = width
            self.mixers = mixers
            self.visibleDepth = visibleDepth
        }
    }

    public let patch: PatchEmbedding
    let blocks: [LINABlock]
    let norm: ChannelNorm
    let visibleDepth: Int

    public init(_ scope: Scope, _ configuration: Configuration) {
        let width = configuration.width
        patch = PatchEmbedding(
            scope / "patch_embed", channels: configuration.channels, width: width,
            patchSize: configuration.patchSize)
        blocks = configuration.mixers.enumerated().map { index, mixer in
            LINABlock(scope / "blocks" / index, width: width, mlpRatio: configuration.mlpRatio, mixer: mixer)
        }
        norm = ChannelNorm(scope / "norm", channels: width, epsilon: 1e-5)
        visibleDepth = configuration.visibleDepth
    }

    /// - Parameters:
    ///   - x: tokens `[N, n, D]` with their positions added.
    ///   - condition: tokens `[N, P, D]` in front, which the first blocks refine and the others use.
    ///   - grid: where the n tokens lie.
    ///   - visible: the tokens that the first blocks see; nil for all.
    /// - Returns: `[N, n, D]`, without the condition.
    public func callAsFunction(
        _ x: Tensor, condition: Tensor?, grid: TokenGrid?, visible: [[Int]]? = nil
    ) -> Tensor {
        let prefix = condition?.shape[1] ?? 0
        func joined(_ c: Tensor?, _ x: Tensor) -> Tensor { c.map { .concatenateTokens([$0, x]) } ?? x }
        func run(_ blocks: ArraySlice<LINABlock>, _ x: Tensor, _ grid: TokenGrid?) -> Tensor {
            blocks.reduce(x) { $1($0, layout: TokenLayout(prefix: prefix, grid: grid)) }
        }
        guard let visible, visibleDepth > 0 else {
            let y = run(blocks[...], joined(condition, x), grid)
            return norm(y.tokens(prefix..<y.shape[1]))
        }
        let seen = joined(condition, x.gatheringTokens(visible))
        let first = seen.shape[1] > 0 ? run(blocks[..<visibleDepth], seen, nil) : seen
        let all = x.replacingTokens(visible, with: first.tokens(prefix..<first.shape[1]))
        let y = run(
            blocks[visibleDepth...], joined(condition.map { _ in first.tokens(0..<prefix) }, all), grid)
        return norm(y.tokens(prefix..<y.shape[1]))
    }
}
