import Layers
import Tensors

/// What the settings of a network must tell for every command to work with it. One conformance for each kind of
/// `ModelSettings`.
///
/// Training, generation, inspection and conversion ask only this; what differs between diffusion, masked and
/// next-frequency models lies behind `makeModel`.
public protocol ModelArchitecture: Sendable {
    /// What people call the network.
    var name: String { get }
    /// Channels of the images or latents.
    var inputChannels: Int { get }
    /// 0 without classes.
    var classCount: Int { get }
    /// Whether the network is told what to draw by embedded prompts instead of classes.
    var readsPrompts: Bool { get }
    /// Probability of training without the label or prompt.
    var labelDropout: Double { get }
    /// Width and height must be multiples of this.
    var sizeMultiple: Int { get }
    /// The one size that the network makes; nil when it makes others too.
    var fixedSize: ImageSize? { get }
    /// What the network learns in place of the configuration's objective; nil when it is that.
    var ownObjective: String? { get }

    /// - Throws: `ConfigurationError` when the network cannot be trained for the objective. Its field is relative to the
    ///   configuration, as in `model.learnSigma`.
    func check(_ objective: ObjectiveSettings) throws
    /// - Throws: `ConfigurationError` when samples cannot be drawn so. Its field is relative to the sampler.
    func check(_ sampler: SamplerSettings, for objective: ObjectiveSettings) throws

    /// Every tensor of a checkpoint, by published name.
    var parameterShapes: [(name: String, shape: Shape)] { get }
    /// Cost by stage for one image: a stage holds the parameters whose names begin with its own.
    func stages(_ size: ImageSize) -> [ModelStage]
    /// Whether training changes a parameter; the others stay as they begin.
    func isTrained(_ parameter: String) -> Bool
    /// Builds the network on parameters taken from `scope`; the caller validates the store.
    func makeModel(_ scope: Scope) -> any ImageModel
}

extension ModelArchitecture {
    public var readsPrompts: Bool { false }
    public var fixedSize: ImageSize? { nil }
    public func isTrained(_ parameter: String) -> Bool { true }
    public var ownObjective: String? { nil }
}

/// A part of a network and what it costs for one image.
public struct ModelStage: Hashable, Sendable {
    public var name: String
    public var parameterCount: Int
    /// Of convolutions and linear layers.
    public var multiplyAccumulates: Int

    public init(name: String, parameterCount: Int, multiplyAccumulates: Int) {
        self.name = name
        self.parameterCount = parameterCount
        self.multiplyAccumulates = multiplyAccumulates
    }
}
