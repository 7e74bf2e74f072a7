import Autoregression
import Backbones
import Layers

// The groups that configurations and recipes of next-frequency models are made of.

extension PyramidConfiguration: Settings {
    public static let defaults = PyramidConfiguration(grids: [])
    public static let requiredKeys: Set<String> = ["grids"]
}

extension QuantizerConfiguration: Settings {
    public static let defaults = QuantizerConfiguration()
}

extension VQVAEConfiguration: Settings {
    public static let defaults = VQVAEConfiguration()
}

extension FRVAEConfiguration: Settings {
    public static let defaults = FRVAEConfiguration(
        codec: VQVAEConfiguration(), quantizer: QuantizerConfiguration())
}

extension VARConfiguration: Settings {
    public static let defaults = VARConfiguration(grids: [], depth: 16)
    public static let requiredKeys: Set<String> = ["grids"]
}

extension LevelBackboneConfiguration: Settings {
    public static let defaults = LevelBackboneConfiguration(grids: [], inputChannels: 3, width: 0, depth: 0)
    public static let requiredKeys: Set<String> = ["grids", "width", "depth"]
}

extension ContextNoise: Settings {
    public static let defaults = ContextNoise()

    public func validate() throws {
        try Self.require((0...1).contains(training), "training", "from 0 to 1, found \(training)")
        try Self.require((0...1).contains(sampling), "sampling", "from 0 to 1, found \(sampling)")
    }
}

extension LevelGuidance: Settings {
    public static let defaults = LevelGuidance()

    public func validate() throws {
        try Self.require(strength.isFinite, "strength", "a finite number, found \(strength)")
    }
}

extension TokenFilter: Settings {
    public static let defaults = TokenFilter()

    public func validate() throws {
        try Self.require(topK >= 0, "topK", "at least 0 (0 keeps all), found \(topK)")
        try Self.require((0...1).contains(topP), "topP", "from 0 to 1 (0 keeps all), found \(topP)")
    }
}

extension CategoricalSampling: Settings {
    public static let defaults = CategoricalSampling()
}
