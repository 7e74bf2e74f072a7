import Archives
import Autoregression
import Checkpoints
import Foundation
import Images
import Layers
import Metrics
import Tensors

/// The frequency pyramid of one image, for `sfumato spectrum`: its bands, their energy, and the radial spectrum.
public struct SpectrumAnalysis: Sendable {
    /// What one level holds.
    public struct Level: Sendable {
        public var grid: Grid
        /// Coefficients of this band: the degrees of freedom it adds per channel.
        public var coefficients: Double
        /// Mean square of the band, of samples from −1 to 1.
        public var energy: Double
        /// Share of the band in the energy of everything but the mean colour; nil for an image of one colour.
        public var share: Double?
        /// Peak signal-to-noise ratio of the sum of the bands up to this one, in decibels; infinite for the
        /// image itself.
        public var psnr: Double
    }

    public let name: String
    public let configuration: PyramidConfiguration
    /// The image as analysed, eight bits, grey or RGB.
    public let image: Image
    /// The size of the file's image, when it was scaled down first.
    public let originalSize: ImageSize?
    public let levels: [Level]
    public let warnings: [String]
    let bands: [PreciseImages]
    let lowpasses: [PreciseImages]

    /// Above this size an image is scaled down first: the pyramid of a photograph shows nothing more.
    public static let largestSide = 512

    /// - Parameters:
    ///   - grids: levels from coarse to fine; empty for octaves. The last must be the image's size, else the
    ///   image's
    ///     size is added.
    /// - Throws: `ImageError`, `FileError` for an image that cannot be read; `ConfigurationError`,
    ///   `PyramidMismatch` for levels that do not fit it.
    public init(
        path: String, grids: [Grid] = [], basis: PyramidConfiguration.Basis = .cosine, bands: BandShape = .box
    ) throws {
        let file = try Image(path: path).eightBit()
        let opaque = file.hasAlpha ? file.composited(over: [255, 255, 255]) : file
        let image = Self.limited(opaque)
        let finest = Grid(image.height, image.width)
        if let largest = grids.last, largest != finest {
            guard largest.height <= finest.height, largest.width <= finest.width else {
                throw PyramidMismatch(
                    "\(path): the grid \(largest) is larger than the image of \(finest); choose smaller levels."
                )
            }
        }
        let levels = grids.isEmpty ? Self.octaves(finest) : grids.last == finest ? grids : grids + [finest]
        try self.init(
            name: path, image: image,
            originalSize: image == opaque ? nil : ImageSize(width: file.width, height: file.height),
            configuration: PyramidConfiguration(grids: levels, basis: basis, bands: bands, sizing: .spectral))
    }

    init(name: String, image: Image, originalSize: ImageSize?, configuration: PyramidConfiguration) throws {
        self.name = name
        self.image = image
        self.originalSize = originalSize
        self.configuration = configuration
        let pyramid = try FrequencyPyramid(configuration)
        let x = PreciseImages(Tensor([image], range: .signed))
        let lowpasses = (0..<pyramid.levelCount).map { pyramid.lowpass(x, level: $0) }
        let bands = [lowpasses[0]] + zip(lowpasses.dropFirst(), lowpasses).map { $0 - $1 }
        let weights = pyramid.bandWeights?.map(\.total)
        let energies = bands.map { $0.rootMeanSquare * $0.rootMeanSquare }
        let detail = Self.variance(x)
        self.bands = bands
        self.lowpasses = lowpasses
        levels = bands.indices.map { level in
            let error = (x - lowpasses[level]).rootMeanSquare
            let own = level == 0 ? Self.variance(bands[0]) : energies[level]
            return Level(
                grid: configuration.grids[level],
                coefficients: weights?[level] ?? Double(pyramid.degreesOfFreedom[level]),
                energy: energies[level], share: detail > 1e-12 ? own / detail : nil,
                psnr: error > 1e-7 ? 20 * log10(2 / error) : .infinity)
        }
        warnings = pyramid.warnings
    }

    /// Halves of the image's size, rounded up, down to about four pixels.
    static func octaves(_ finest: Grid) -> [Grid] {
        var grids = [finest]
        while let last = grids.last, min(last.height, last.width) > 4 {
            grids.append(Grid((last.height + 1) / 2, (last.width + 1) / 2))
        }
        return grids.reversed()
    }

    private static func limited(_ image: Image) -> Image {
        let side = max(image.width, image.height)
        guard side > largestSide else { return image }
        return image.resized(
            width: max(1, image.width * largestSide / side), height: max(1, image.height * largestSide / side)
        )
    }

    /// Mean square of the deviations from the mean colour.
    private static func variance(_ x: PreciseImages) -> Double {
        let (rows, channels) = (x.shape.rows, x.shape.channels)
        var total = 0.0
        for c in 0..<channels {
            let values = (0..<rows).map { x.values[$0 * channels + c] }
            let mean = values.reduce(0, +) / Double(rows)
            total += values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        }
        return total / Double(rows * channels)
    }
}

extension SpectrumAnalysis {
    /// Energy per band as a table.
    public var text: String {
        var table = TextTable([
            "level", "grid", "coefficients", "energy", "share of detail", "PSNR up to here",
        ])
        for (index, level) in levels.enumerated() {
            table.add([
                "\(index + 1)", level.grid.description, TextTable.fixed(level.coefficients, digits: 0),
                TextTable.fixed(level.energy, digits: 6),
                level.share.map { TextTable.fixed(100 * $0, digits: 2) + " %" } ?? "",
                level.psnr.isFinite ? TextTable.fixed(level.psnr, digits: 2) + " dB" : "exact",
            ])
        }
        let size = "\(image.width)x\(image.height)"
        let scaled = originalSize.map { " (scaled down from \($0))" } ?? ""
        return
            "\(name): \(size)\(scaled), \(configuration.basis.rawValue) basis, \(levels.count) levels\n\(table.text)"
    }

    public var json: JSONValue {
        [
            "image": .string(name), "width": .integer(image.width), "height": .integer(image.height),
            "basis": .string(configuration.basis.rawValue), "bands": .string(configuration.bands.rawValue),
            "levels": .array(
                levels.map { level in
                    [
                        "grid": [.integer(level.grid.height), .integer(level.grid.width)],
                        "coefficients": .number(level.coefficients), "energy": .number(level.energy),
                        "share": level.share.map { .number($0) } ?? .null,
                        "psnr": level.psnr.isFinite ? .number(level.psnr) : .null,
                    ]
                }),
            "warnings": .array(warnings.map { .string($0) }),
        ]
    }
}

extension SpectrumAnalysis {
    /// `photo-spectrum.png` in the working folder for `…/photo.jpg`.
    public static func defaultOutput(for path: String) -> String {
        let name = splitPath(path).name
        let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
        return "\(stem)-spectrum.png"
    }
}
