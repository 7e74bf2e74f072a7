import Layers
import Tensors

/// What a DnCNN is built from. The defaults are the published grey model for one noise level.
public struct DnCNNConfiguration: Sendable, Hashable, Codable {
    /// Which of the two published codes names the parameters, gives biases and draws initial values.
    public enum Dialect: String, Sendable, Codable, CaseIterable {
        /// cszn/DnCNN, `TrainingCodes/dncnn_pytorch`: `dncnn.N`, a bias in the first convolution only.
        case dncnnPyTorch
        /// cszn/KAIR: `model.N`, a bias in every convolution.
        case kair

        public var prefix: String { self == .kair ? "model" : "dncnn" }
    }

    /// How convolutions are drawn.
    public enum Initialization: String, Sendable, Codable, CaseIterable {
        /// With the dialect's gain, as DnCNN is published.
        case orthogonal
        /// As weighted convolutions are published.
        case kaimingFanOut
    }

    public var imageChannels = 1
    /// Convolutions: 17 for one noise level, 20 for blind and colour models.
    public var depth = 17
    public var width = 64
    public var hasBatchNorm = true
    public var batchNormEpsilon: Float = 1e-4
    /// The batch's share in the running statistics; nil for the dialect's own, 0.95 or 0.9.
    public var batchNormMomentum: Float?
    public var activation = ChainActivation.relu
    public var dialect = Dialect.kair
    public var kernel = ConvolutionKernel.standard
    /// Coefficients of a density that a fresh standard kernel is multiplied by, once (`KernelDensity`).
    public var initialDensity: [Float]?
    /// Absent for the kernel's own. To compare kernels, give them the same; densities multiply what it draws.
    public var initialization: Initialization?
    /// Whether the chain's result is subtracted from the input.
    public var isResidual = true
    /// Whether the input has the noise level as one more channel (FDnCNN).
    public var takesNoiseLevel = false

    public init() {}

    public init(
        imageChannels: Int = 1, depth: Int = 17, width: Int = 64, hasBatchNorm: Bool = true,
        dialect: Dialect = .kair, kernel: ConvolutionKernel = .standard
    ) {
        (self.imageChannels, self.depth, self.width) = (imageChannels, depth, width)
        (self.hasBatchNorm, self.dialect, self.kernel) = (hasBatchNorm, dialect, kernel)
    }

    /// FDnCNN: told the noise level, no normalisation, not residual.
    public static func fdncnn(imageChannels: Int = 1, depth: Int = 20, width: Int = 64) -> DnCNNConfiguration
    {
        var result = DnCNNConfiguration(
            imageChannels: imageChannels, depth: depth, width: width, hasBatchNorm: false)
        result.isResidual = false
        result.takesNoiseLevel = true
        return result
    }

    public var inputChannels: Int { imageChannels + (takesNoiseLevel ? 1 : 0) }

    /// - Throws: `ConfigurationError` for numbers that make no network.
    public func validate() throws {
        guard depth >= 2 else {
            throw ConfigurationError(field: "depth", demand: "at least 2, found \(depth)")
        }
        if let initialDensity, initialDensity.count != 1 || kernel != .standard {
            throw ConfigurationError(
                field: "initialDensity",
                demand: "one coefficient, beside a standard kernel, found \(initialDensity)")
        }
        guard width > 0, imageChannels > 0 else {
            throw ConfigurationError(
                field: "width and imageChannels", demand: "above 0, found \(width) and \(imageChannels)")
        }
    }

    var layout: ConvolutionChain.Layout {
        ConvolutionChain.Layout(
            inputs: inputChannels, outputs: imageChannels, width: width, depth: depth,
            hasBatchNorm: hasBatchNorm, batchNormEpsilon: batchNormEpsilon,
            batchNormMomentum: batchNormMomentum ?? (dialect == .kair ? 0.9 : 0.95),
            hasBiases: dialect == .kair, activation: activation, kernel: kernel,
            initialDensity: initialDensity, initialization: initialization, gain: dialect == .kair ? 0.2 : 1,
            batchNormWeight: dialect == .kair ? .uniform(low: 0.1, high: 1) : .ones)
    }

    /// Names and shapes of everything a checkpoint of this model holds.
    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = DnCNN(store.scope, self)
        return store.shapes
    }
}
