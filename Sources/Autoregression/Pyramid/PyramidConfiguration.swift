import Layers

/// What a frequency pyramid is fixed by; it has no parameters.
public struct PyramidConfiguration: Codable, Hashable, Sendable {
    /// What "frequency" means.
    public enum Basis: String, Codable, Hashable, Sendable, CaseIterable {
        /// Fourier: periodic images. The paper's choice.
        case fourier
        /// Cosine: images mirrored at their borders, so that nothing wraps around. For pixels.
        case cosine
    }

    /// How maps change between the sizes of the levels.
    public enum Sizing: String, Codable, Hashable, Sendable, CaseIterable {
        /// Area averages down, bicubic up: VAR's, for its checkpoints. Not a projection.
        case areaBicubic
        /// Area averages down, linear interpolation up.
        case areaBilinear
        /// The basis' own: up after down is an orthogonal projection, down after up changes nothing.
        case spectral
    }

    /// The levels' sizes from coarse to fine; the last is the size of the image or latent.
    public var grids: [Grid]
    public var basis: Basis
    /// Division of the Fourier plane; the cosine basis has boxes only.
    public var bands: BandShape
    public var sizing: Sizing

    public init(
        grids: [Grid], basis: Basis = .fourier, bands: BandShape = .box, sizing: Sizing = .areaBicubic
    ) {
        self.grids = grids
        self.basis = basis
        self.bands = bands
        self.sizing = sizing
    }

    /// Cosine basis and spectral sizing, for continuous tokens in pixel space.
    public static func octaves(_ grids: [Grid]) -> PyramidConfiguration {
        PyramidConfiguration(grids: grids, basis: .cosine, sizing: .spectral)
    }

    /// VAR's levels for a 16×16 latent (256² images): 680 tokens.
    public static let var256 = PyramidConfiguration(
        grids: [1, 2, 3, 4, 5, 6, 8, 10, 13, 16].map { Grid($0) })
    /// VAR's levels for a 32×32 latent (512² images): 2240 tokens.
    public static let var512 = PyramidConfiguration(
        grids: [1, 2, 3, 4, 6, 9, 13, 18, 24, 32].map { Grid($0) })

    /// - Throws: `ConfigurationError` naming the field that cannot be.
    public func validate() throws {
        guard let first = grids.first, first.height > 0, first.width > 0 else {
            throw ConfigurationError(
                field: "grids", demand: "at least one grid of at least 1×1, found \(grids)")
        }
        for (coarse, fine) in zip(grids, grids.dropFirst())
        where fine.height < coarse.height || fine.width < coarse.width {
            throw ConfigurationError(
                field: "grids", demand: "in ascending order, found \(fine) after \(coarse)")
        }
        guard basis == .fourier || bands == .box else {
            throw ConfigurationError(
                field: "bands", demand: "\"box\" with the cosine basis, found \"\(bands.rawValue)\"")
        }
    }
}
