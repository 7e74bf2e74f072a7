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
        try sampler.bands?.requireNoTokens()
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

    /// How often each scalar of a parameter is multiplied; of the tokenizer, only what decodes.
    private func positions(_ name: String, _ shape: Shape) -> Int {
        let place = TokenModel.tokenizerName + "."
        if name.hasPrefix(place) {
            return tokenizer.positions(String(name.dropFirst(place.count)), shape).decoding
        }
        let isTable = name.contains("emb") && !name.hasPrefix("word_embed")
        guard shape.rank >= 2, name.hasSuffix(".weight"), !isTable else { return 0 }
        let isModulation = name.contains("ada") || name.contains(".ca.")
        return isModulation ? grids.count : grids.map(\.count).reduce(0, +)
    }
}
