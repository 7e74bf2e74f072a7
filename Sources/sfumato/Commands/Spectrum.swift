import ArgumentParser
import Autoregression
import Checkpoints
import Images
import Layers
import Recipes

struct Spectrum: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the frequency pyramid of an image.",
        discussion: """
            Examples:
              sfumato spectrum photo.jpg
              sfumato spectrum photo.jpg --grids 4,8,16,32 --basis fourier --out pyramid.png

            The picture has the image growing band by band above, each band alone in the middle (grey is zero), and the \
            radial power spectrum below. Images above \(SpectrumAnalysis.largestSide) pixels are scaled down first.
            """)

    @Argument(help: "A PNG or JPEG image.", completion: .file(extensions: ["png", "jpg", "jpeg"]))
    var image: String
    @Option(help: "Levels from coarse to fine, as 4,8,16 or 3x5,6x10 (height first). Default: octaves.")
    var grids: GridList?
    @Option(
        help:
            "What frequency means: \(PyramidConfiguration.Basis.allCases.map(\.rawValue).joined(separator: " or "))."
    )
    var basis = PyramidConfiguration.Basis.cosine
    @Option(
        help: "Division of the Fourier plane: \(BandShape.allCases.map(\.rawValue).joined(separator: ", ")).")
    var bands = BandShape.box
    @Option(
        help: "Where the picture goes (default: the image's name with -spectrum.png, in the working folder).")
    var out: String?
    @Flag(help: "Print the energies as JSON.")
    var json = false

    func run() throws {
        let analysis = try SpectrumAnalysis(
            path: image, grids: grids?.grids ?? [], basis: basis, bands: bands)
        for warning in analysis.warnings { Terminal.warning(warning) }
        let path = out ?? SpectrumAnalysis.defaultOutput(for: image)
        try analysis.picture().write(to: path)
        if json { analysis.json.printLine() } else { print(analysis.text) }
        Terminal.note("the picture is \(path)")
    }
}

extension PyramidConfiguration.Basis: ExpressibleByArgument {}
extension BandShape: ExpressibleByArgument {}

/// `4,8,16` or `3x5,6x10`.
struct GridList: ExpressibleByArgument {
    var grids: [Grid]

    init?(argument: String) {
        let grids = argument.split(separator: ",", omittingEmptySubsequences: false).map { text -> Grid? in
            let sides = text.split(omittingEmptySubsequences: false) { "xX×".contains($0) }.map { Int($0) }
            guard let height = sides.first ?? nil, let width = sides.last ?? nil, sides.count <= 2,
                height > 0,
                width > 0
            else { return nil }
            return Grid(height, width)
        }
        let known = grids.compactMap { $0 }
        guard known.count == grids.count, !known.isEmpty else { return nil }
        self.grids = known
    }
}
