import Layers
import Tensors

extension RestorationNetwork {
    /// The network of a checkpoint and its parameters under the names it takes: chains numbered with gaps are
    /// renumbered.
    /// - Throws: `UnknownNetwork`.
    public static func recognizing(_ parameters: [String: Tensor]) throws -> (
        RestorationNetwork, [String: Tensor]
    ) {
        let network = try RestorationNetwork(inferredFrom: parameters.mapValues(\.shape))
        if case .dncnn(let configuration) = network, !configuration.hasBatchNorm {
            return (network, DnCNNConfiguration.renumbered(parameters))
        }
        if case .ffdnet = network { return (network, DnCNNConfiguration.renumbered(parameters)) }
        return (network, parameters)
    }

    /// The network for inference: batch normalisation and densities folded into the weights, tunable kernels mixed at
    /// one setting (or left to be tuned image by image when there is none), and the course of a call recorded for each
    /// size of images.
    ///
    /// - Parameters:
    ///   - tuning: the user's parameters, P values.
    ///   - precision: of the network's products; float32 where the processor has it not.
    /// - Throws: `ParameterMismatch` when the parameters are not this network's; `ConfigurationError` for a wrong number
    ///   of tuning values.
    public func makeInferenceRestorer(
        _ parameters: [String: Tensor], tuning: [Float]? = nil, precision: ProductPrecision = .float32
    ) throws -> any ImageRestorer {
        let (network, folded) = try self.folded(parameters, tuning: tuning)
        let store = ParameterStore(.loaded(folded), isTracked: false, precision: precision)
        let restorer = network.makeRestorer(store.scope)
        try store.validate()
        return ReplayedRestorer(restorer)
    }

    /// The network with the parameters that inference uses.
    /// - Parameter tuning: as for `makeInferenceRestorer`.
    public func folded(_ parameters: [String: Tensor], tuning: [Float]? = nil) throws
        -> (RestorationNetwork, [String: Tensor])
    {
        if let tuning, tuning.count != kernel.tuningCount {
            throw ConfigurationError(
                field: "tuning",
                demand: "\(kernel.tuningCount) values for this network, found \(tuning.count)")
        }
        if kernel.kind == .tunable, tuning == nil { return (self, parameters) }
        let mixed =
            kernel.kind == .tunable ? ConvolutionKernel.mixing(parameters, at: tuning ?? []) : parameters
        switch self {
        case .dncnn(var configuration):
            if kernel.kind == .tunable { configuration.kernel = .standard }
            let (plain, folded) = try configuration.folded(mixed)
            return (.dncnn(plain), folded)
        case .ffdnet(var configuration):
            configuration.kernel = .standard
            return (.ffdnet(configuration), ConvolutionKernel.foldingDensities(mixed))
        case .nafnet(let configuration):
            let (plain, folded) = configuration.fixed(parameters, at: tuning ?? [])
            return (.nafnet(plain), folded)
        case .drunet: return (self, parameters)
        case .dico(let configuration):
            let (plain, folded) = configuration.folded(parameters, tuning: tuning)
            return (.dico(plain), folded)
        }
    }

    /// The kernel in the network's convolutions.
    public var kernel: ConvolutionKernel {
        switch self {
        case .dncnn(let configuration): configuration.kernel
        case .ffdnet(let configuration): configuration.kernel
        case .drunet: .standard
        case .nafnet(let configuration): configuration.kernel
        case .dico(let configuration): configuration.kernel
        }
    }
}
