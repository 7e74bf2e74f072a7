import Denoising
import Images
import Layers
import Tensors

/// How strong the noise of an image is said to be.
public enum SigmaChoice: Sendable, Hashable {
    /// On the 0–255 scale.
    case level(Double)
    /// Estimated from each image (`NoiseEstimator`).
    case estimated
    /// A grey image of the image's size whose samples are σ: 25 where it is 25 of 255.
    case map(path: String)
}

/// How images are cut.
public struct TileChoice: Sendable, Hashable {
    /// Side of what a tile contributes; nil cuts images above `largestWhole` pixels only, 0 none.
    public var tile: Int?
    /// Pixels around a tile that are restored with it; nil for what the network needs.
    public var overlap: Int?

    /// Above this many pixels an image is cut unless the user says otherwise.
    public static let largestWhole = 1 << 21
    /// Side of a tile that nobody chose.
    static let usualTile = 512
    /// Networks with global means look further than any margin; this is theirs.
    static let largestUsualOverlap = 256

    public init(tile: Int? = nil, overlap: Int? = nil) { (self.tile, self.overlap) = (tile, overlap) }
}

/// One image after denoising, and what was found on the way.
public struct DenoisedImage: Sendable {
    public var image: Image
    /// The image that went in, with added noise where there was any.
    public var noisy: Image
    /// The level the network was told, or the image was found to have; nil where none was asked for.
    public var sigma: Double?
    public var tileCount: Int
}

/// A network ready for images of any size, depth and number of channels.
public struct ImageDenoiser: Sendable {
    public let model: DenoisingModel
    public let sigma: SigmaChoice?
    /// Mean over the eight positions of the image.
    public let isEnsemble: Bool
    public let tiles: TileChoice
    private let restorer: any ImageRestorer

    /// - Parameters:
    ///   - sigma: nil to estimate it where the network must be told, and else not to ask.
    ///   - tuning: the user's parameters of a tunable network; nil for its first alone, full strength.
    public init(
        _ model: DenoisingModel, sigma: SigmaChoice?, tuning: [Float]? = nil, isEnsemble: Bool = false,
        tiles: TileChoice = TileChoice(), precision: ProductPrecision = .float32
    ) throws {
        if case .map = sigma, !model.network.takesNoiseLevel {
            throw DenoisingError(
                "\(model.path): is not told the noise level, so a map of it changes nothing; leave out --sigma"
            )
        }
        (self.model, self.isEnsemble, self.tiles) = (model, isEnsemble, tiles)
        self.sigma = sigma
        restorer = try model.makeRestorer(tuning: tuning, precision: precision)
    }

    /// - Parameters:
    ///   - noise: added before denoising.
    ///   - keepsNoisy: whether `noisy` is wanted where noise is added; it costs another copy.
    ///   - onTile: told the share of the image that a finished tile is; false stops.
    ///   - onNote: what the user should know.
    /// - Returns: nil when stopped.
    public func denoise(
        _ image: Image, noise: AddedNoise? = nil, keepsNoisy: Bool = false,
        onTile: (Double) -> Bool = { _ in true }, onNote: (String) -> Void = { _ in }
    ) throws -> DenoisedImage? {
        let source = PictureCanvas(image)
        let route = ColourRoute(imageColours: source.colours, networkChannels: restorer.imageChannels)
        route.note.map(onNote)
        let level = try noiseLevel(source, noise, onNote)
        var (target, noisy) = (source, noise != nil && keepsNoisy ? source : nil)
        let regions = plan(width: image.width, height: image.height, onNote)
        for region in regions {
            let x = source.window(rows: region.seenRows, columns: region.seenColumns, noise: noise)
            _ = noisy?.write(x, region)
            let y = route.leave(restore(route.enter(x), level.window(region)))
            guard target.write(y, region) else {
                throw DenoisingError("the network's answer is not finite; no image is written")
            }
            let share = Double(region.keptPixelCount) / Double(image.pixelCount)
            guard onTile(share) else { return nil }
        }
        return DenoisedImage(
            image: target.image, noisy: noisy?.image ?? image, sigma: level.sigma, tileCount: regions.count)
    }

    private func restore(_ x: Tensor, _ level: Tensor?) -> Tensor {
        guard isEnsemble else { return restorer.restore(x, condition(level, count: x.shape[0])) }
        var sum: Tensor?
        for mode in Dihedral.all {
            let turned = level.map { $0.shape.rank == 4 ? mode.apply(to: $0) : $0 }
            let y = restorer.restore(mode.apply(to: x), condition(turned, count: x.shape[0]))
            let upright = mode.inverse.apply(to: y)
            sum = sum.map { $0 + upright } ?? upright
        }
        return sum.map { $0 / Float(Dihedral.all.count) } ?? x
    }

    /// - Parameter level: for one image; the channels of an image may be several to the network.
    private func condition(_ level: Tensor?, count: Int) -> RestorationCondition {
        guard let level, restorer.needsNoiseLevel else { return RestorationCondition() }
        let scalars = level.scalars
        var shape = level.shape.extents
        shape[0] = count
        return RestorationCondition(
            noiseLevel: Tensor(
                shape: Shape(shape), scalars: count == 1 ? scalars : (0..<count).flatMap { _ in scalars }))
    }
}

extension ImageDenoiser {
    /// The tiles of an image, and a word about what they change.
    private func plan(width: Int, height: Int, _ onNote: (String) -> Void) -> [MarginTiles.Region] {
        let network = model.network
        let isCut = tiles.tile.map { $0 > 0 } ?? (width * height > TileChoice.largestWhole)
        guard isCut else {
            return MarginTiles(tile: max(width, height), margin: 0).regions(height: height, width: width)
        }
        let usual = network.hasGlobalMeans ? 64 : TileChoice.largestUsualOverlap
        let reach = network.receptiveRadius + network.meanRadius
        let overlap = tiles.overlap ?? min(reach, usual)
        let tile = tiles.tile ?? max(TileChoice.usualTile, 2 * overlap)
        let regions = MarginTiles(tile: tile, margin: overlap, multiple: network.sizeMultiple)
            .regions(height: height, width: width)
        if regions.count > 1, network.hasGlobalMeans {
            onNote(
                "is cut into \(regions.count) tiles, and the means that this network takes over the whole image become those of a tile; --local-means SIZE replaces them by local ones, --tile 0 does not cut"
            )
        } else if regions.count > 1, overlap < reach {
            onNote(
                "is cut into tiles that overlap by \(overlap) pixels, and the network looks \(reach) pixels far: results near seams may differ"
            )
        }
        return regions
    }

    /// What the network is told of the noise.
    private func noiseLevel(_ canvas: PictureCanvas, _ noise: AddedNoise?, _ onNote: (String) -> Void) throws
        -> KnownNoise
    {
        let isNeeded = model.network.takesNoiseLevel
        let choice = sigma ?? noise.map { .level($0.sigma) } ?? (isNeeded ? .estimated : nil)
        switch choice {
        case nil: return .unknown
        case .level(let value):
            check(value, tolerance: 0, onNote)
            return .level(value)
        case .estimated:
            guard let value = try estimate(canvas, noise) else {
                throw DenoisingError("is too small to estimate its noise; give --sigma with a number")
            }
            check(value, tolerance: 0.1, onNote)
            return .level(value)
        case .map(let path):
            if case .dico = model.network {
                onNote(
                    "the model takes one σ for the image: the root mean square of the map, or of a tile's part of it"
                )
            }
            let map = PictureCanvas(try Image(path: path))
            guard (map.width, map.height, map.colours) == (canvas.width, canvas.height, 1) else {
                throw DenoisingError(
                    "\(path): is \(map.width)×\(map.height) with \(map.colours) colours; the map of σ must be grey and \(canvas.width)×\(canvas.height) as the image is"
                )
            }
            return .map(map)
        }
    }

    private func check(_ sigma: Double, tolerance: Double, _ onNote: (String) -> Void) {
        guard let range = model.sigmas else { return }
        let (low, high) = (range.lowerBound * (1 - tolerance), range.upperBound * (1 + tolerance))
        guard !(low...high).contains(sigma) else { return }
        let trained =
            range.lowerBound == range.upperBound
            ? TextTable.fixed(range.lowerBound, digits: 0)
            : "\(TextTable.fixed(range.lowerBound, digits: 0))…\(TextTable.fixed(range.upperBound, digits: 0))"
        onNote(
            "σ is \(TextTable.fixed(sigma, digits: 1)), and the model was trained for \(trained): expect a poor result"
        )
    }

    /// From the whole of a small image, or nine windows spread over a large one.
    private func estimate(_ canvas: PictureCanvas, _ noise: AddedNoise?) throws -> Double? {
        let side = 256
        func starts(_ extent: Int) -> [Int] {
            extent <= 2 * side ? [0] : [0, (extent - side) / 2, extent - side]
        }
        func length(_ extent: Int) -> Int { extent <= 2 * side ? extent : side }
        let windows = starts(canvas.height).flatMap { top in
            starts(canvas.width).map { left in
                canvas.window(
                    rows: top..<top + length(canvas.height), columns: left..<left + length(canvas.width),
                    noise: noise)
            }
        }
        return try NoiseEstimator.sigma(of: windows)
    }
}

/// The noise level of an image as the network takes it.
private enum KnownNoise {
    case unknown
    case level(Double)
    case map(PictureCanvas)

    var sigma: Double? { if case .level(let value) = self { value } else { nil } }

    /// `[1, 1]`, or a map `[1, H, W, 1]` over what a tile sees, for values in 0…1.
    func window(_ region: MarginTiles.Region) -> Tensor? {
        switch self {
        case .unknown: nil
        case .level(let value): Tensor(repeating: Float(value) / 255, shape: [1, 1])
        case .map(let canvas): canvas.window(rows: region.seenRows, columns: region.seenColumns)
        }
    }
}
