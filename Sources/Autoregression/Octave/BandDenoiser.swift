import Layers
import Tensors

/// How one denoising network serves all levels of an octave pyramid: channels, labels, and what fills the
/// seats that the first level leaves empty.
public struct BandSeat: Hashable, Sendable {
    public var levelCount: Int
    /// C, of the images.
    public var channels: Int
    /// Classes of the data; 0 for none.
    public var classCount: Int

    public init(levelCount: Int, channels: Int, classCount: Int) {
        self.levelCount = levelCount
        self.channels = channels
        self.classCount = classCount
    }

    /// The noisy band (3C), the map below (C), and how much noise that map carries (1).
    public var inputChannels: Int { 4 * channels + 1 }
    /// Channels of the prediction, variance channels not counted.
    public var outputChannels: Int { 3 * channels }
    /// Labels of the network: one for each class, and for "no class", at each level. The network itself needs
    /// no null label.
    public var labelCount: Int { levelCount * (classCount + 1) }

    /// The network's label.
    public func label(_ label: Int?, level: Int) -> Int { level * (classCount + 1) + (label ?? classCount) }
}

/// A network as the denoiser of one band of one batch, given the map below.
///
/// What a diffusion objective or solver sees has the channels of that band: C at the first level, 3C after it.
/// Level and class reach the network as one label, so that every denoiser with labels can take the seat.
public struct BandDenoiser: Denoiser {
    public let network: any Denoiser
    public let seat: BandSeat
    public let level: Int
    /// `[N, h, w, C + 1]`: the map below and its noise; nil at the first level.
    private let context: Tensor?

    /// - Parameters:
    ///   - context: the map below divided by its size (`OctaveTokenizer.context`); nil at the first level.
    ///   - noise: share of noise that `context` was mixed with, per image.
    public init(_ network: any Denoiser, seat: BandSeat, level: Int, context: Tensor?, noise: [Float]) {
        self.network = network
        self.seat = seat
        self.level = level
        self.context = context.map { ContextNoise.joined($0, shares: noise) }
    }

    /// - Parameter noisy: `[k·N, h, w, C or 3C]` for a context of N images; guidance asks for the batch twice.
    public func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        let width = level == 0 ? seat.channels : seat.outputChannels
        precondition(
            noisy.shape.channels == width,
            "the band of level \(level + 1) has \(width) channels, not \(noisy.shape)")
        let empty = Shape(Array(noisy.shape.extents.dropLast()) + [seat.inputChannels - width])
        let rest = context.map { $0.repeatedSamples(noisy.shape[0] / max(1, $0.shape[0])) } ?? .zeros(empty)
        let output = network.predict(
            .concatenateChannels([noisy, rest]), time: time,
            labels: labels.map { seat.label($0, level: level) })
        guard level == 0 else { return output }
        let first = output.channels(0..<width)
        guard output.shape.channels > seat.outputChannels else { return first }
        return .concatenateChannels([
            first, output.channels(seat.outputChannels..<seat.outputChannels + width),
        ])
    }
}

/// Noise on the map below, against errors that the network's own samples will have and its training data has not.
public struct ContextNoise: Codable, Hashable, Sendable {
    /// Training draws a share from 0 to this.
    public var training: Float
    /// The share in sampling.
    public var sampling: Float

    public init(training: Float = 0.15, sampling: Float = 0.05) {
        self.training = training
        self.sampling = sampling
    }

    /// The map below as sampling shows it to a network, and the share of noise it carries, one per image.
    /// - Parameters:
    ///   - context: of the level, without noise; nil at the first.
    ///   - seeds: one per image.
    public func sampled(_ context: Tensor?, level: Int, seeds: [UInt64]) -> (map: Tensor?, shares: [Float]) {
        let shares = seeds.map { _ in sampling }
        let map = Self.added(
            to: context, shares: shares,
            streams: seeds.map { RandomStream(seed: $0).stream(named: "context").stream(UInt64(level)) })
        return (map, shares)
    }

    /// A map `[N, h, w, C]` with a channel that tells how much noise it carries: `[N, h, w, C + 1]`.
    public static func joined(_ map: Tensor, shares: [Float]) -> Tensor {
        let places = map.shape[1] * map.shape[2]
        let plane = Tensor(
            shape: [map.shape[0], map.shape[1], map.shape[2], 1],
            scalars: shares.flatMap { Array(repeating: $0, count: places) })
        return .concatenateChannels([map, plane])
    }

    /// context + share·N(0, 1), with numbers that depend on each image's stream only.
    public static func added(to context: Tensor?, shares: [Float], streams: [RandomStream]) -> Tensor? {
        guard let context, context.shape[0] > 0 else { return context }
        let shape = Shape([1] + context.shape.extents.dropFirst())
        return .concatenateSamples(
            shares.indices.map { image in
                let own = context.samples(image..<image + 1)
                return shares[image] > 0 ? own + streams[image].normals(shape) * shares[image] : own
            })
    }
}

/// One training batch of a level.
public struct BandExample: Sendable {
    public let level: Int
    /// The band to be learned, `[N, h, w, C or 3C]`.
    public let clean: Tensor
    /// The map below with noise, `[N, h, w, C]`; nil at the first level.
    public let context: Tensor?
    /// Share of noise on that map, one per image.
    public let shares: [Float]

    /// - Parameters:
    ///   - images: `[N, H, W, C]`.
    ///   - streams: one per image; they decide the noise on the context.
    public init(
        _ images: Tensor, level: Int, tokenizer: OctaveTokenizer, noise: ContextNoise,
        streams: [RandomStream]
    ) {
        self.level = level
        clean = tokenizer.tokens(images, level: level).detached
        let previous = level > 0 ? tokenizer.pyramid.down(images, to: level - 1) : nil
        shares = streams.map { noise.training * $0.stream(named: "share").uniform(at: 0) }
        context = ContextNoise.added(
            to: tokenizer.context(previous, level: level), shares: shares,
            streams: streams.map { $0.stream(named: "context") })
    }

    /// A network in its seat.
    public func denoiser(_ network: any Denoiser, seat: BandSeat) -> BandDenoiser {
        BandDenoiser(network, seat: seat, level: level, context: context, noise: shares)
    }
}
