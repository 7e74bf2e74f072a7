import Archives
import Autoregression
import Images
import Layers
import Tensors

/// What sampling says of bands: the part of a recipe that only next-frequency models read.
public struct BandSettings: Settings, Hashable {
    /// How guidance is spread over the levels: `ramp` grows from none at the first to all at the last.
    public var guidance = LevelGuidance.Form.ramp
    /// Solver steps of each level, coarse to fine; absent for `steps` at every level.
    public var steps: [Int]?
    /// Of a token head: autoregressive steps of each level, its tokens along a cosine; absent for 1, all at once.
    public var tokenSteps: Int?
    /// Of a token head: factor on a token's noise, on what it begins as, and with solver ddpm on that of the steps
    /// instead; absent for 1.
    public var temperature: Double?
    /// Share of noise on the image below; absent for the model's own.
    public var contextNoise: Float?
    /// Draw no more than this many levels: the image up to that band.
    public var until: Int?
    /// An image file whose first levels are taken over; the rest is drawn anew.
    public var from: String?
    /// How many levels are taken over from it.
    public var keep: Int?
    /// SHA-256 of the image file; another file is then an error.
    public var fromDigest: String?
    /// The pyramid that the recipe is made for; another one in the checkpoint is then an error.
    public var pyramid: PyramidConfiguration?

    public init() {}

    public static var defaults: BandSettings { BandSettings() }

    public func validate() throws {
        try Self.require(
            steps.map { !$0.isEmpty && $0.allSatisfy((1...10_000).contains) } ?? true, "steps",
            "one number in 1…10000 for each level, found \(steps ?? [])")
        try Self.require(
            tokenSteps.map { (1...100_000).contains($0) } ?? true, "tokenSteps",
            "in 1…100000, found \(tokenSteps ?? 0)")
        try Self.require(
            temperature.map { $0 >= 0 && $0.isFinite } ?? true, "temperature",
            "at least 0, found \(temperature ?? 0)")
        try Self.require(
            contextNoise.map { (0...1).contains($0) } ?? true, "contextNoise",
            "from 0 to 1, found \(contextNoise ?? 0)")
        try Self.require(until.map { $0 >= 1 } ?? true, "until", "at least 1, found \(until ?? 0)")
        try Self.require(keep.map { $0 >= 1 } ?? true, "keep", "at least 1, found \(keep ?? 0)")
        try Self.require(
            (from == nil) == (keep == nil), keep == nil ? "keep" : "from",
            keep == nil
                ? "given, how many bands of \(from ?? "") to keep" : "given, the image to keep bands of")
    }

    /// The same with the digest of the image file.
    /// - Throws: `GenerationError` when it is another file than the one the digest tells; `FileError`.
    func resolved() throws -> BandSettings {
        guard let from else { return self }
        let digest = SHA256.hexadecimal(try MappedFile(path: from).slice)
        if let fromDigest, fromDigest != digest {
            throw GenerationError(
                "\(from): is not the image whose bands were kept (sha256 \(fromDigest.prefix(12))…, found "
                    + "\(digest.prefix(12))…); give the right one with --from")
        }
        var result = self
        result.fromDigest = digest
        return result
    }

    /// - Throws: `ConfigurationError` when settings of a token head are given to a model without one.
    func requireNoTokens() throws {
        try Self.require(
            tokenSteps == nil, "bands.tokenSteps",
            "left out: only a token head draws tokens one after another")
        try Self.require(
            temperature == nil, "bands.temperature", "left out: only a token head has a temperature")
    }

    /// How many levels are drawn or taken over.
    /// - Throws: `ConfigurationError` for settings that do not go with the model's levels.
    func levelCount(of own: FrequencyPyramid) throws -> Int {
        let count = own.levelCount
        let end = until ?? count
        try Self.require(end <= count, "bands.until", "in 1…\(count), found \(end)")
        if let keep {
            try Self.require(
                keep < end, "bands.keep",
                "below \(end), so that there is something left to draw, found \(keep)")
        }
        if let pyramid {
            do {
                try FrequencyPyramid(pyramid).requireSame(
                    as: own, this: "the recipe", that: "the checkpoint")
            } catch let error as PyramidMismatch {
                throw ConfigurationError(
                    field: "bands.pyramid", demand: "the checkpoint's: \(error.description)")
            }
        }
        return end
    }
}

/// The image whose low bands a generation keeps.
struct KeptBands: Sendable {
    /// `[1, H, W, C]` at the model's size.
    let image: Tensor
    /// How many bands are kept.
    let levels: Int
    /// For people.
    let description: String

    /// - Returns: nil where settings keep none.
    /// - Throws: `FileError`, `ImageError` for a file that is no image.
    init?(_ settings: BandSettings, grid: Grid, channels: Int) throws {
        guard let path = settings.from, let levels = settings.keep else { return nil }
        let file = try Image(path: path).eightBit()
        let opaque = file.hasAlpha ? file.composited(over: [255, 255, 255]) : file
        var image = opaque.converted(to: channels == 1 ? .grey : .rgb)
        var note = ""
        if (image.width, image.height) != (grid.width, grid.height) {
            note = " (\(image.width)×\(image.height), scaled and cropped to \(grid.width)×\(grid.height))"
            image = image.admCenterCropped(width: grid.width, height: grid.height)
        }
        self.image = Tensor([image])
        self.levels = levels
        description = "\(levels) of \(path)\(note)"
    }
}
