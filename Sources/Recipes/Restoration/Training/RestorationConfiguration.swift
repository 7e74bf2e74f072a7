import Denoising
import Layers
import Tensors
import Training

/// What a denoiser learns: from which noise, by which loss.
public struct RestorationObjectiveSettings: Settings, Hashable {
    public enum Loss: String, Codable, CaseIterable, Sendable {
        case l1, l2, halfSquaredSum, charbonnier, psnr, psnrLuma
    }

    /// Absent where the data has noisy images of its own.
    public var noise: NoiseSettings?
    public var loss = Loss.l1
    /// Of charbonnier, for values in 0…1.
    public var epsilon = 1e-3

    public static var defaults: RestorationObjectiveSettings { RestorationObjectiveSettings() }

    public func validate() throws { try Self.require(epsilon > 0, "epsilon", "above 0, found \(epsilon)") }

    var restorationLoss: RestorationLoss {
        switch loss {
        case .l1: .l1
        case .l2: .l2
        case .halfSquaredSum: .halfSquaredSum
        case .charbonnier: .charbonnier(epsilon: Float(epsilon))
        case .psnr: .psnr
        case .psnrLuma: .psnrLuma
        }
    }
}

/// Which images a denoiser learns from: random crops, turned and mirrored.
public struct RestorationDataSettings: Settings, Hashable {
    public enum Layout: String, Codable, CaseIterable, Sendable {
        /// A folder of clean images, and perhaps one of noisy images with the same names.
        case folders
        /// Scenes as SIDD has them: noisy images named `…NOISY…` beside clean ones named `…GT…`.
        case sidd
    }

    /// The clean images, folders in folders included.
    public var path: String
    /// Noisy images under the clean ones' names.
    public var noisy: String?
    public var layout = Layout.folders
    /// Of a crop.
    public var size = ImageSize(40)
    /// 3 for colour, 1 for grey.
    public var channels = 1
    /// Turn and mirror by the eight symmetries of the square.
    public var dihedral = true
    /// What a damaged image does: skip (another takes its place, once reported) or error.
    public var onBadImage = BadImagePolicy.skip

    public static var defaults: RestorationDataSettings { RestorationDataSettings(path: "") }
    public static var requiredKeys: Set<String> { ["path"] }

    public func validate() throws {
        try Self.require([1, 3].contains(channels), "channels", "1 (grey) or 3 (colour), found \(channels)")
        try Self.require(
            !dihedral || size.width == size.height, "dihedral", "false unless the size is a square")
        try Self.require(
            noisy == nil || layout == .folders, "noisy",
            "absent for sidd, which has them beside the clean ones")
    }

    var isPaired: Bool { noisy != nil || layout == .sidd }
}

/// Images scored on the way with the averaged weights.
public struct ValidationSettings: Settings, Hashable {
    /// A folder of clean images, or of noisy ones where `reference` is given; absent for no validation.
    public var path: String?
    /// A folder of clean images under the noisy ones' names.
    public var reference: String?
    /// Levels of the noise that is added where there is no `reference`.
    public var sigmas = [25.0]
    /// Steps between scores.
    public var every = 1000
    /// The first so many images.
    public var limit = 12

    public static var defaults: ValidationSettings { ValidationSettings() }

    public func validate() throws {
        try Self.require(every >= 1, "every", "at least 1, found \(every)")
        try Self.require(limit >= 1, "limit", "at least 1, found \(limit)")
        try Self.require(sigmas.allSatisfy { $0 >= 0 }, "sigmas", "at least 0, found \(sigmas)")
    }
}

/// One training run of a denoiser, completely: a file of `configs/`.
public struct RestorationConfiguration: Settings, Hashable {
    public var model: RestorationModelSettings
    public var data: RestorationDataSettings
    public var objective = RestorationObjectiveSettings()
    public var optimizer = OptimizerSettings()
    /// Crops per update. With `optimizer.accumulation` above 1 this many are computed at a time.
    public var batchSize = 64
    /// Updates of the whole run.
    public var steps = 100_000
    /// Decides initial weights, crops and all noise.
    public var seed: UInt64 = 0
    /// What the operands of the network's products are rounded to, forward and backward; float32 where the processor has
    /// not the other.
    public var precision = ProductPrecision.float32
    /// Whether blocks (of DiCo, LINA and NAFNet) compute what lies between their input and their result again in the
    /// backward pass instead of keeping it: a fraction of the memory for another forward pass, and the same bits.
    public var recomputation = false
    /// A checkpoint (a file, or a run's folder) whose weights the run begins with instead of drawn ones.
    public var initialWeights: String?
    public var checkpoints = CheckpointSettings()
    public var validation = ValidationSettings()
    public var log = LogSettings()

    public static var defaults: RestorationConfiguration {
        RestorationConfiguration(model: .dncnn(.defaults), data: .defaults)
    }
    public static var requiredKeys: Set<String> { ["model", "data"] }

    /// Whether settings are those of a denoiser, by the kind of their model.
    public static func describes(_ node: SettingsNode) -> Bool {
        let kind = node["model.kind"]?.text ?? node["model"]?.text
        return RestorationModelSettings.Kind.allCases.contains { $0.rawValue == kind }
    }

    public func validate() throws {
        let network = model.network
        try Self.require(batchSize >= 1, "batchSize", "at least 1, found \(batchSize)")
        try Self.require(steps >= 1, "steps", "at least 1, found \(steps)")
        try Self.require(
            network.imageChannels == data.channels,
            model.kind == .dico ? "model.inputChannels" : "model.imageChannels",
            "\(data.channels), as data.channels is, found \(network.imageChannels)")
        try Self.require(
            (objective.noise == nil) == data.isPaired, "objective.noise",
            data.isPaired
                ? "absent, as the data has noisy images of its own" : "given, unless data.noisy is")
        try Self.require(
            !network.takesNoiseLevel || !data.isPaired, "model.kind",
            "one that is not told the noise level, as paired images do not say it")
        try Self.require(
            [0, 2].contains(network.kernel.tuningCount), "model.kernel.parameterCount",
            "2, a strength and its rest, found \(network.kernel.tuningCount)")
    }
}

/// What the checkpoint of a denoiser says of itself.
public struct RestorationCheckpoint: Settings, Hashable {
    public var model: RestorationModelSettings
    /// What it was trained on; absent for weights from elsewhere.
    public var objective: RestorationObjectiveSettings?
    /// How the training was set up.
    public var training: RestorationConfiguration?

    public static var defaults: RestorationCheckpoint { RestorationCheckpoint(model: .dncnn(.defaults)) }
    public static var requiredKeys: Set<String> { ["model"] }
}
