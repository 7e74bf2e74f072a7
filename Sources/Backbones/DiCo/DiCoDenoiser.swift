import Layers
import Tensors

/// DiCo as a denoiser that is told the noise level: x̂ = y − σ·F(2y − 1, 1000·σ) for images in 0…1.
///
/// F estimates the noise in units of its deviation, as a diffusion model does; σ takes the place of time and reaches
/// every block through its modulation. A fresh network answers with the noisy image itself, as does every network at
/// σ = 0.
///
/// Any size: the right and the bottom are padded by reflection to `DiCoConfiguration.sizeMultiple`. The channel
/// attention's means are taken over what the network is given: a tile's means differ from the whole image's unless
/// `localTrainingSize` makes them local. A map of the level enters as its root mean square.
public struct DiCoDenoiser: ImageRestorer {
    /// Network times per unit of the noise's deviation, so that noise as strong as white is 1000.
    public static let timeScale: Float = 1000

    private let backbone: DiCo

    /// - Parameter configuration: without classes and variance channels (`DiCoConfiguration.denoiser`).
    public init(_ scope: Scope, _ configuration: DiCoConfiguration) {
        precondition(
            configuration.classCount == 0 && !configuration.learnSigma,
            "a denoiser has neither classes nor variance channels")
        backbone = DiCo(scope, configuration)
    }

    public var imageChannels: Int { backbone.configuration.inputChannels }
    public var needsNoiseLevel: Bool { true }
    public var tuningCount: Int { backbone.configuration.kernel.tuningCount }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor {
        guard let level = condition.noiseLevel else { preconditionFailure("DiCo needs the noise level") }
        precondition(
            noisy.shape.rank == 4 && noisy.shape[3] == imageChannels,
            "this DiCo takes \(imageChannels) channels, not \(noisy.shape)")
        let (n, h, w) = (noisy.shape[0], noisy.shape[1], noisy.shape[2])
        let multiple = backbone.configuration.sizeMultiple
        let sigmas = Self.levels(level, count: n)
        let x = noisy.padded(
            bottom: (multiple - h % multiple) % multiple, right: (multiple - w % multiple) % multiple,
            mode: .reflect
        ).affine(scale: 2, shift: -1)
        let noise = backbone.predict(
            x, time: sigmas.map { $0 * Self.timeScale }, labels: Array(repeating: nil, count: n),
            tuning: condition.tuning)
        let scale = Tensor(
            shape: [n, imageChannels],
            scalars: sigmas.flatMap { Array(repeating: $0, count: imageChannels) })
        return noisy - noise.cropped(rows: 0..<h, columns: 0..<w) * scale
    }

    /// One value per image. Means are taken in double precision, so that a map of one level is that level to the
    /// last bit.
    private static func levels(_ level: Tensor, count: Int) -> [Float] {
        guard level.shape.rank == 4 else { return level.scalars }
        return (0..<count).map { image in
            let values = level.samples(image..<image + 1).scalars
            let squares = values.reduce(0.0) { $0 + Double($1) * Double($1) }
            return Float((squares / Double(values.count)).squareRoot())
        }
    }
}

extension DiCoConfiguration {
    /// What a denoiser has instead of the published generator's classes, variances and latents.
    public static let denoiser: DiCoConfiguration = {
        DiCoConfiguration(
            inputChannels: 3, hiddenSize: 32, depth: [1, 1, 1, 1, 1], classCount: 0, classDropout: 0,
            learnSigma: false)
    }()

    /// - Throws: `ConfigurationError` for a network that is no denoiser.
    public func validateDenoiser() throws {
        guard classCount == 0 else {
            throw ConfigurationError(field: "classCount", demand: "0 for a denoiser, found \(classCount)")
        }
        guard !learnSigma else {
            throw ConfigurationError(field: "learnSigma", demand: "false for a denoiser")
        }
        try validateWholeImages()
    }

    /// Pixels in each direction that a pixel of the prediction depends on, means and attention not counted.
    var receptiveRadius: Int {
        // In cells of the first level; every block and every change of level has one 3×3 convolution.
        let first = depth[0] + depth[4] + 3
        let second = depth[1] + depth[3] + 2
        // A cell of the lowest level begins up to three cells away.
        return patchSize * (first + 2 * second + 4 * depth[2] + 6) + patchSize - 1
    }

    /// The network that weights with folded densities, or mixed at one setting of the user's parameters, belong to,
    /// and those weights: inference then costs what it does with standard kernels.
    /// - Parameter tuning: P values for a tunable kernel.
    public func folded(_ parameters: [String: Tensor], tuning: [Float]? = nil) -> (
        DiCoConfiguration, [String: Tensor]
    ) {
        var plain = self
        switch kernel.kind {
        case .standard: return (self, parameters)
        case .weighted:
            plain.kernel = .standard
            return (plain, ConvolutionKernel.foldingDensities(parameters))
        case .tunable:
            guard let tuning else { return (self, parameters) }
            plain.kernel = .standard
            return (plain, ConvolutionKernel.mixing(parameters, at: tuning))
        }
    }
}
