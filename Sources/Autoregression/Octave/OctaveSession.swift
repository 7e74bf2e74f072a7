import Layers
import Tensors

/// Draws images of continuous tokens: each level's band from the map below, by whatever draws a band.
public final class OctaveSession: LevelSession {
    public let tokenizer: OctaveTokenizer
    private let imageCount: Int
    /// The tokens of a level `[N, h, w, C or 3C]` given the map below.
    private let drawBand: (_ level: Int, _ previous: Tensor?) -> Tensor
    private var level = 0
    /// The image at the size of the last level drawn.
    public private(set) var map: Tensor?

    public init(
        _ tokenizer: OctaveTokenizer, imageCount: Int,
        drawBand: @escaping (_ level: Int, _ previous: Tensor?) -> Tensor
    ) {
        self.tokenizer = tokenizer
        self.imageCount = imageCount
        self.drawBand = drawBand
    }

    public var levelCount: Int { tokenizer.levelCount }

    public func draw() {
        let band = drawBand(level, map).detached
        join { band.samples($0..<$0 + 1) }
    }

    /// Takes the level from images of full size. The bands below it are whatever they are.
    public func keep(_ images: Tensor) {
        join { [tokenizer, level] in tokenizer.tokens(images.samples($0..<$0 + 1), level: level) }
    }

    /// Adds the level, given the tokens of an image.
    private func join(_ tokens: (Int) -> Tensor) {
        let (tokenizer, previous, level) = (tokenizer, map, level)
        map = Self.eachImage(imageCount) { image in
            tokenizer.join(
                tokens(image), previous: previous?.samples(image..<image + 1), level: level)
        }
        self.level += 1
    }

    /// Images one by one, each on one thread: changes of size sum in an order that depends on how many are given.
    private static func eachImage(_ count: Int, _ body: (Int) -> Tensor) -> Tensor {
        .concatenateSamples(ComputeThreads.concurrentMap(count) { body($0).detached })
    }

    public var image: @Sendable () -> Tensor {
        let (tokenizer, level, imageCount) = (tokenizer, level, imageCount)
        guard let map, level > 0 else {
            let finest = tokenizer.pyramid.finest
            let shape: Shape = [imageCount, finest.height, finest.width, tokenizer.channels]
            return { .zeros(shape) }
        }
        return {
            Self.eachImage(imageCount) { tokenizer.pyramid.up(map.samples($0..<$0 + 1), from: level - 1) }
        }
    }

    /// A session whose bands one denoising network draws jointly, seen through `BandDenoiser`.
    /// - Parameters:
    ///   - seeds: one per image; they decide the noise on the map below.
    ///   - solve: any sampler of a `Denoiser`: draws `[N, h, w, C or 3C]` of the given shape for a level.
    public static func joint(
        _ network: any Denoiser, seat: BandSeat, tokenizer: OctaveTokenizer, noise: ContextNoise,
        seeds: [UInt64],
        solve: @escaping (_ denoiser: BandDenoiser, _ shape: Shape, _ level: Int) -> Tensor
    ) -> OctaveSession {
        OctaveSession(tokenizer, imageCount: seeds.count) { level, previous in
            let context = noise.sampled(
                tokenizer.context(previous, level: level), level: level, seeds: seeds)
            let grid = tokenizer.tokenGrid(level)
            let shape: Shape = [seeds.count, grid.height, grid.width, tokenizer.tokenChannels(level)]
            return solve(
                BandDenoiser(network, seat: seat, level: level, context: context.map, noise: context.shares),
                shape, level
            )
        }
    }
}
