import Autoregression
import Backbones
import Layers
import Tensors

/// What a frequency-residual autoencoder is built from.
public struct FRVAEConfiguration: Codable, Hashable, Sendable {
    public var codec: VQVAEConfiguration
    public var quantizer: QuantizerConfiguration

    public init(codec: VQVAEConfiguration, quantizer: QuantizerConfiguration) {
        self.codec = codec
        self.quantizer = quantizer
    }

    /// VAR's released tokenizer: no bands, 4096 codes of 32 channels.
    public static let released = FRVAEConfiguration(
        codec: VQVAEConfiguration(), quantizer: QuantizerConfiguration(usesBands: false))

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        try codec.validate()
        try quantizer.validate()
        guard codec.latentChannels == quantizer.channels else {
            throw ConfigurationError(
                field: "quantizer.channels",
                demand: "\(codec.latentChannels), as codec.latentChannels is; found \(quantizer.channels)")
        }
    }
}

/// NFIG's tokenizer: a convolutional autoencoder whose latent is coded band by band.
///
/// Parameters of the released VAR tokenizer: `encoder.…`, `quant_conv`, `quantize.…`, `post_quant_conv`,
/// `decoder.…`.
public struct FRVAE: Sendable {
    public let codec: VQVAE
    public let quantizer: MultiScaleQuantizer

    /// - Throws: `ConfigurationError` naming the field that cannot be.
    public init(_ scope: Scope, _ configuration: FRVAEConfiguration) throws {
        try configuration.validate()
        codec = VQVAE(scope, configuration.codec)
        quantizer = try MultiScaleQuantizer(scope / "quantize", configuration.quantizer)
    }

    /// The size of the images it takes.
    public var imageSize: Grid {
        FRVAEConfiguration(codec: codec.configuration, quantizer: quantizer.configuration).imageSize
    }

    /// - Throws: `PyramidMismatch` when the quantiser's finest grid is not the latent of such images.
    public func requireFits(height: Int, width: Int) throws {
        guard Grid(height, width) == imageSize else {
            let factor = codec.configuration.reduction
            throw PyramidMismatch(
                "images of \(height)×\(width) have a latent of \(height / factor)×\(width / factor), the finest grid is "
                    + "\(quantizer.pyramid.finest): resize the images to \(imageSize), or change quantizer.pyramid.grids."
            )
        }
    }

    /// Codes per level of images `[N, H, W, 3]` in −1…1, row by row, sample after sample.
    public func indices(_ images: Tensor) -> [[Int]] {
        quantizer.quantize(codec.encode(images).detached).indices
    }

    /// What is left of images after coding, clamped to −1…1.
    public func reconstruct(_ images: Tensor) -> Tensor {
        decode(quantizer.quantize(codec.encode(images).detached).latent)
    }

    /// Quantised latents to images in −1…1.
    public func decode(_ latents: Tensor) -> Tensor { codec.decode(latents.detached).detached.clamped(to: 1) }
}

/// The loss of a frequency-residual autoencoder (NFIG, arXiv 2503.07076): pixels, codes, and optionally a
/// discriminator and a perceptual distance.
public struct FRVAELoss: Sendable {
    public enum PixelError: String, Codable, Hashable, Sendable, CaseIterable { case absolute, squared }

    public var pixel = PixelError.squared
    public var codeWeight: Float = 1
    public var adversarialWeight: Float = 0.5
    public var perceptualWeight: Float = 1
    /// Distance of made and real images, mean over the batch; needs a network that is not part of this
    /// project's files.
    public var perceptual: (@Sendable (_ made: Tensor, _ real: Tensor) -> Tensor)?

    public init() {}

    /// The autoencoder's loss, and its terms.
    public struct Value {
        public var total: Tensor
        public var parts: [String: Double]
        /// Reconstructions, for the discriminator; no derivative.
        public var made: Tensor
        /// Codes used, per level.
        public var indices: [[Int]]
        /// What each level's codes stand for, `[N, h, w, C]`.
        public var targets: [Tensor]
    }

    /// - Parameter discriminator: nil before it takes part.
    public func callAsFunction(_ model: FRVAE, _ images: Tensor, discriminator: PatchDiscriminator? = nil)
        -> Value
    {
        let quantized = model.quantizer.quantize(model.codec.encode(images))
        let made = model.codec.decode(quantized.latent)
        let difference = made - images
        let pixels = pixel == .squared ? difference.squared.mean() : difference.absolute.mean()
        var total = pixels + quantized.loss * codeWeight
        var parts = ["pixel": Double(pixels.item), "code": Double(quantized.loss.item)]
        if let discriminator, adversarialWeight > 0 {
            let loss = PatchDiscriminator.generatorLoss(made: discriminator(made))
            total = total + loss * adversarialWeight
            parts["adversarial"] = Double(loss.item)
        }
        if let perceptual, perceptualWeight > 0 {
            let loss = perceptual(made, images)
            total = total + loss * perceptualWeight
            parts["perceptual"] = Double(loss.item)
        }
        return Value(
            total: total, parts: parts, made: made.detached, indices: quantized.indices,
            targets: quantized.targets.map(\.detached))
    }
}
