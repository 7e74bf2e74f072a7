import Autoregression
import Backbones
import Layers
import Tensors

extension TokenModelConfiguration: ModelArchitecture {
    public var name: String {
        switch predictor {
        case .scaleMarkov: "scale-Markov DiCo"
        case .transformer: "VAR transformer"
        }
    }
    public var inputChannels: Int { tokenizer.codec.imageChannels }
    public var labelDropout: Double { classDropout }
    public var sizeMultiple: Int { 1 }

    public var fixedSize: ImageSize? {
        ImageSize(width: tokenizer.imageSize.width, height: tokenizer.imageSize.height)
    }

    public var ownObjective: String? { "cross-entropy of the codes" }

    public func check(_ objective: ObjectiveSettings) throws {}

    public func check(_ sampler: SamplerSettings, for objective: ObjectiveSettings) throws {
        try sampler.requireNoGroup(but: [.bands, .codes])
        _ = try (sampler.bands ?? BandSettings()).levelCount(
            of: FrequencyPyramid(tokenizer.quantizer.pyramid))
        guard sampler.bands?.steps == nil else {
            throw ConfigurationError(field: "bands.steps", demand: "left out: codes are drawn in one step")
        }
        guard sampler.bands?.contextNoise == nil else {
            throw ConfigurationError(field: "bands.contextNoise", demand: "left out: codes carry no noise")
        }
    }

    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = makeModel(store.scope)
        return store.shapes
    }

    public func isTrained(_ parameter: String) -> Bool {
        !parameter.hasPrefix(TokenModel.tokenizerName + ".")
    }

    public func makeModel(_ scope: Scope) -> any ImageModel {
        do { return try TokenModel(scope, self) } catch {
            preconditionFailure("settings that were not validated: \(error)")
        }
    }

    /// One pass of the predictor over every level, and the decoder.
    public func stages(_ size: ImageSize) -> [ModelStage] {
        var stages: [ModelStage] = []
        for (name, shape) in parameterShapes {
            let stage = String(name.prefix { $0 != "." })
            let index = stages.firstIndex { $0.name == stage } ?? stages.endIndex
            if index == stages.endIndex {
                stages.append(ModelStage(name: stage, parameterCount: 0, multiplyAccumulates: 0))
            }
            stages[index].parameterCount += shape.elementCount
            stages[index].multiplyAccumulates += positions(name, shape) * shape.elementCount
        }
        return stages
    }

    /// How often each scalar of a parameter is multiplied.
    private func positions(_ name: String, _ shape: Shape) -> Int {
        let parts = name.split(separator: ".")
        guard shape.rank >= 2, parts.last == "weight", !name.contains("emb") || name.hasPrefix("word") else {
            return 0
        }
        if parts[0] == "tokenizer" { return tokenizerPositions(parts.dropFirst().map(String.init)) }
        let isModulation = name.contains("ada") || name.contains(".ca.")
        return isModulation ? grids.count : grids.map(\.count).reduce(0, +)
    }

    /// Only what decodes is used in drawing.
    private func tokenizerPositions(_ parts: [String]) -> Int {
        let finest = (grids.last ?? Grid(0)).count
        let last = tokenizer.codec.multipliers.count - 1
        switch parts[0] {
        case "post_quant_conv": return finest
        case "quantize":
            return parts.contains("quant_resi") ? finest * grids.count / max(1, refinementCount) : 0
        case "decoder" where parts[1] == "up":
            // A level's upsampling convolves at the size of the next finer one.
            let level = (Int(parts[2]) ?? 0) - (parts.contains("upsample") ? 1 : 0)
            return finest << (2 * (last - level))
        case "decoder" where parts[1] == "conv_out": return finest << (2 * last)
        case "decoder": return finest
        default: return 0
        }
    }

    private var refinementCount: Int { tokenizer.quantizer.refinementCount }
}
