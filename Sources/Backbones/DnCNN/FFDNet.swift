import Layers
import Tensors

/// FFDNet (arXiv 1710.04026; cszn/KAIR, `network_ffdnet.py`): a plain chain of convolutions at half resolution, told
/// the noise level, for one level or a map of it. Any size; odd ones are padded by replication.
///
/// Parameters `model.N.{weight, bias}`, N = 0, 2, 4, ….
public struct FFDNet: ImageRestorer {
    /// What an FFDNet is built from: 15×64 for grey images, 12×96 for colour.
    public struct Configuration: Sendable, Hashable, Codable {
        public var imageChannels = 1
        public var depth = 15
        public var width = 64
        public var activation = ChainActivation.relu
        public var kernel = ConvolutionKernel.standard

        public init(imageChannels: Int = 1, depth: Int = 15, width: Int = 64) {
            (self.imageChannels, self.depth, self.width) = (imageChannels, depth, width)
        }

        public static let grey = Configuration()
        public static let colour = Configuration(imageChannels: 3, depth: 12, width: 96)

        public var parameterShapes: [(name: String, shape: Shape)] {
            let store = ParameterStore(.shapesOnly, isTracked: false)
            _ = FFDNet(store.scope, self)
            return store.shapes
        }
    }

    public let configuration: Configuration
    private let chain: ConvolutionChain

    public init(_ scope: Scope, _ configuration: Configuration) {
        self.configuration = configuration
        let channels = 4 * configuration.imageChannels
        chain = ConvolutionChain(
            scope / "model",
            .init(
                inputs: channels + 1, outputs: channels, width: configuration.width,
                depth: configuration.depth, activation: configuration.activation,
                kernel: configuration.kernel, gain: 0.2))
    }

    public var imageChannels: Int { configuration.imageChannels }
    public var needsNoiseLevel: Bool { true }
    public var tuningCount: Int { configuration.kernel.tuningCount }

    public func restore(_ noisy: Tensor, _ condition: RestorationCondition, isTraining: Bool) -> Tensor {
        guard let level = condition.noiseLevel else { preconditionFailure("FFDNet needs the noise level") }
        let (h, w) = (noisy.shape[1], noisy.shape[2])
        func halved(_ x: Tensor) -> Tensor {
            x.padded(bottom: h % 2, right: w % 2, mode: .replicate).pixelUnshuffled(by: 2)
        }
        // A map is averaged over the cells that become one position.
        let map =
            level.shape.rank == 4
            ? halved(level).linear(Tensor(repeating: 0.25, shape: [1, 4])) : level
        let y = chain(
            halved(noisy).appendingNoiseLevel(map), tuning: condition.tuning, isTraining: isTraining)
        return y.pixelShuffled(by: 2).cropped(rows: 0..<h, columns: 0..<w)
    }
}
