import Layers

/// The convolutional autoencoder of VAR (arXiv 2404.02905; FoundationVision/VAR, `models/basic_vae.py`), which
/// is that of VQGAN and latent diffusion. The defaults are those of the released `vae_ch160v4096z32`.
public struct VQVAEConfiguration: Codable, Hashable, Sendable {
    /// Channels of the images.
    public var imageChannels = 3
    /// Width of the first level.
    public var width = 160
    /// Width of each level relative to the first; every level after the first halves the resolution.
    public var multipliers = [1, 1, 2, 2, 4]
    /// Residual blocks per level of the encoder; the decoder has one more.
    public var residualBlocks = 2
    /// Channels of the latent.
    public var latentChannels = 32
    /// Whether the coarsest level has an attention after each residual block.
    public var usesAttention = true
    /// Whether the middle has one.
    public var usesMiddleAttention = true

    public init(
        imageChannels: Int = 3, width: Int = 160, multipliers: [Int] = [1, 1, 2, 2, 4],
        residualBlocks: Int = 2,
        latentChannels: Int = 32, usesAttention: Bool = true, usesMiddleAttention: Bool = true
    ) {
        self.imageChannels = imageChannels
        self.width = width
        self.multipliers = multipliers
        self.residualBlocks = residualBlocks
        self.latentChannels = latentChannels
        self.usesAttention = usesAttention
        self.usesMiddleAttention = usesMiddleAttention
    }

    /// Pixels of an image per latent position, along one axis.
    public var reduction: Int { 1 << max(0, multipliers.count - 1) }

    var widths: [Int] { multipliers.map { width * $0 } }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        try require(imageChannels > 0, "imageChannels", "at least 1, found \(imageChannels)")
        try require(
            !multipliers.isEmpty && multipliers.allSatisfy { $0 > 0 }, "multipliers",
            "at least one positive number, found \(multipliers)")
        try require(
            width > 0 && widths.allSatisfy { $0 % 32 == 0 }, "width",
            "a multiple of 32, because channels are normalised in 32 groups; found \(width)")
        try require(residualBlocks >= 0, "residualBlocks", "at least 0, found \(residualBlocks)")
        try require(latentChannels > 0, "latentChannels", "at least 1, found \(latentChannels)")
    }
}
