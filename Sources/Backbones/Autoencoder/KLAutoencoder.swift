import Layers
import Tensors

/// What a KL autoencoder is built from. The defaults are MAR's KL-16.
public struct KLAutoencoderConfiguration: Codable, Hashable, Sendable {
    /// Whose names the parameters carry.
    public enum Naming: String, Codable, Hashable, Sendable, CaseIterable {
        /// `encoder.down_blocks.0.resnets.0.conv1` (diffusers, LINA).
        case diffusers
        /// `encoder.down.0.block.0.conv1` (latent diffusion, MAR's `kl16.ckpt`).
        case latentDiffusion
    }

    public var imageChannels = 3
    public var latentChannels = 16
    /// Width of each level, the full resolution first; every level but the last halves the resolution.
    public var channels = [128, 128, 256, 256, 512]
    /// Residual blocks of a level of the encoder; the decoder has one more.
    public var blocksPerLevel = 2
    /// Attention behind every residual block of the encoder's last level.
    public var attendsInEncoder = true
    public var groups = 32
    /// The network's latents times this, after `shift` is taken off, are what a generator sees.
    public var scale: Double = 0.2325
    public var shift: Double = 0
    public var naming = Naming.diffusers

    public init() {}

    /// MAR's autoencoder: one latent pixel for 16×16 image pixels.
    public static let mar16 = KLAutoencoderConfiguration()
    /// The autoencoder of SDXL: one latent pixel for 8×8 image pixels.
    public static let sdxl: KLAutoencoderConfiguration = {
        var result = KLAutoencoderConfiguration()
        (result.latentChannels, result.channels) = (4, [128, 256, 512, 512])
        (result.attendsInEncoder, result.scale) = (false, 0.13025)
        return result
    }()

    /// How many image pixels on a side make one latent pixel.
    public var stride: Int { 1 << (channels.count - 1) }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        guard !channels.isEmpty, channels.allSatisfy({ $0 > 0 && $0 % groups == 0 }), groups > 0 else {
            throw ConfigurationError(
                field: "channels", demand: "widths in multiples of the \(groups) groups, found \(channels)")
        }
        guard latentChannels > 0, imageChannels > 0, blocksPerLevel > 0 else {
            throw ConfigurationError(field: "latentChannels", demand: "at least 1, found \(latentChannels)")
        }
    }

    /// Every parameter's name and shape, without making the model.
    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = KLAutoencoder(store.scope, self)
        return store.shapes
    }
}

/// The convolutional autoencoder of latent diffusion (arXiv 2112.10752), whose latents are normal distributions.
///
/// Images `[N, H, W, 3]` in −1…1, H and W multiples of `configuration.stride`; latents `[N, H/s, W/s, c]`.
public final class KLAutoencoder: Sendable {
    /// Where the encoder places an image: a normal distribution for every latent value.
    public struct Posterior: Sendable {
        /// `[N, h, w, 2c]`: mean, then logarithm of the variance.
        public let moments: Tensor

        public var mean: Tensor { moments.channels(0..<moments.shape.channels / 2) }

        /// mean + deviation·noise, the logarithm of the variance limited to −30…20.
        public func sample(_ noise: Tensor) -> Tensor {
            let channels = moments.shape.channels
            let logVariance = (moments.channels(channels / 2..<channels) + 5).clamped(to: 25) - 5
            return mean + exp(logVariance * 0.5) * noise
        }
    }

    public let configuration: KLAutoencoderConfiguration
    private let encoder: KLEncoder
    private let decoder: KLDecoder
    private let quantize: Convolution
    private let dequantize: Convolution

    public init(_ scope: Scope, _ configuration: KLAutoencoderConfiguration) {
        self.configuration = configuration
        let latent = configuration.latentChannels
        encoder = KLEncoder(scope / "encoder", configuration)
        decoder = KLDecoder(scope / "decoder", configuration)
        quantize = Convolution(scope / "quant_conv", 2 * latent, 2 * latent, kernel: 1)
        dequantize = Convolution(scope / "post_quant_conv", latent, latent, kernel: 1)
    }

    public func encode(_ image: Tensor) -> Posterior { Posterior(moments: quantize(encoder(image))) }

    /// The network's latents (not scaled) → images, nominally in −1…1.
    public func decode(_ latent: Tensor) -> Tensor { decoder(dequantize(latent)) }

    /// The network's latents as a generator sees them.
    public func scaled(_ latent: Tensor) -> Tensor {
        (latent - Float(configuration.shift)) * Float(configuration.scale)
    }

    /// A generator's latents as the network sees them.
    public func unscaled(_ latent: Tensor) -> Tensor {
        latent / Float(configuration.scale) + Float(configuration.shift)
    }
}
