import Layers
import Tensors

/// DnCNN (arXiv 1608.03981; cszn/DnCNN, cszn/KAIR `network_dncnn.py`): a chain of 3×3 convolutions that estimates the
/// noise; what it finds is subtracted. FDnCNN is the same chain told the noise level and giving the clean image.
///
/// Any size from 1×1. Parameter names are the published ones of the configuration's dialect.
public struct DnCNN: ImageRestorer {
    public let configuration: DnCNNConfiguration
    private let chain: ConvolutionChain

    /// Takes every parameter from `scope`; the caller validates the store afterwards.
    public init(_ scope: Scope, _ configuration: DnCNNConfiguration) {
        self.configuration = configuration
        chain = ConvolutionChain(scope / configuration.dialect.prefix, configuration.layout)
    }

    public var imageChannels: Int { configuration.imageChannels }
    public var needsNoiseLevel: Bool { configuration.takesNoiseLevel }
    public var tuningCount: Int { configuration.kernel.tuningCount }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor {
        guard configuration.takesNoiseLevel else {
            return callAsFunction(noisy, tuning: condition.tuning, isTraining: isTraining)
        }
        guard let level = condition.noiseLevel else { preconditionFailure("FDnCNN needs the noise level") }
        return callAsFunction(
            noisy.appendingNoiseLevel(level), tuning: condition.tuning, isTraining: isTraining)
    }

    /// - Parameter x: `[N, H, W, C]`, with the noise level as last channel where the configuration takes one.
    /// - Returns: `[N, H, W, C]`, the clean image.
    public func callAsFunction(_ x: Tensor, tuning: Tensor? = nil, isTraining: Bool = false) -> Tensor {
        precondition(
            x.shape.rank == 4 && x.shape[3] == configuration.inputChannels,
            "DnCNN takes \(configuration.inputChannels) channels, not \(x.shape)")
        let result = chain(x, tuning: tuning, isTraining: isTraining)
        return configuration.isResidual ? x - result : result
    }
}
