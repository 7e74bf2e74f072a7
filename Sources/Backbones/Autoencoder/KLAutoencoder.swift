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
    public static let sdxl = eightfold(scale: 0.13025)
    /// The autoencoder of Stable Diffusion 1 and 2 and of DiT and DiCo: the same network, other weights.
    public static let stableDiffusion = eightfold(scale: 0.18215)

    private static func eightfold(scale: Double) -> KLAutoencoderConfiguration {
        var result = KLAutoencoderConfiguration()
        (result.latentChannels, result.channels) = (4, [128, 256, 512, 512])
        (result.attendsInEncoder, result.scale) = (false, scale)
        return result
    }

    /// The published autoencoders by name.
    public static let presets = ["kl16-mar": mar16, "kl8-sdxl": sdxl, "kl8-sd": stableDiffusion]

    /// How many image pixels on a side make one latent pixel.
    public var stride: Int { 1 << (channels.count - 1) }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        guard groups > 0 else {
            throw ConfigurationError(field: "groups", demand: "at least 1, found \(groups)")
        }
        guard !channels.isEmpty, channels.count <= 16, channels.allSatisfy({ $0 > 0 && $0 % groups == 0 })
        else {
            throw ConfigurationError(
                field: "channels", demand: "widths in multiples of the \(groups) groups, found \(channels)")
        }
        guard imageChannels == 1 || imageChannels == 3 else {
            throw ConfigurationError(
                field: "imageChannels", demand: "1 (grey) or 3 (colour), found \(imageChannels)")
        }
        for (name, count) in [("latentChannels", latentChannels), ("blocksPerLevel", blocksPerLevel)]
        where count < 1 {
            throw ConfigurationError(field: name, demand: "at least 1, found \(count)")
        }
        guard scale.isFinite, scale > 0 else {
            throw ConfigurationError(field: "scale", demand: "above 0, found \(scale)")
        }
        guard shift.isFinite else {
            throw ConfigurationError(field: "shift", demand: "a finite number, found \(shift)")
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

        /// Of every value, the logarithm of the variance limited to −30…20.
        public var deviation: Tensor {
            let channels = moments.shape.channels
            let logVariance = (moments.channels(channels / 2..<channels) + 5).clamped(to: 25) - 5
            return exp(logVariance * 0.5)
        }

        public var mean: Tensor { moments.channels(0..<moments.shape.channels / 2) }

        /// mean + deviation·noise
        public func sample(_ noise: Tensor) -> Tensor { mean + deviation * noise }
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
