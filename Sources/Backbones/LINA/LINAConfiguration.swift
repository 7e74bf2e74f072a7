import Layers
import Tensors

/// Which mixers a LINA has: the encoder's first half and the condition network on the left, its second half on the right.
public enum LINAMixer: String, Codable, Hashable, Sendable, CaseIterable {
    case softmax
    case division
    case subtraction
    /// division | division and depthwise convolution
    case divisionConvolution
    /// subtraction | subtraction and depthwise convolution
    case subtractionConvolution
    /// division | division, depthwise convolution and a gate on keys and values: the published model
    case lina
}

/// What turns a token's features into its value.
public enum LINAHead: String, Codable, Hashable, Sendable, CaseIterable {
    /// LINA's own: the velocity of a noisy token.
    case flow
    /// MAR's: noise and variance channels of a noisy token.
    case diffusion
}

/// What a LINA is built from. The defaults are those of the published 256-pixel class models.
public struct LINAConfiguration: Codable, Hashable, Sendable {
    /// Channels of the images or latents.
    public var inputChannels = 16
    /// Height and width of the images or latents, in pixels of theirs.
    public var height = 16
    public var width = 16
    /// Side of the patches that become tokens.
    public var patchSize = 1
    /// Sides of the grid of condition tokens.
    public var conditionHeight = 8
    public var conditionWidth = 8
    /// Width D of the tokens.
    public var hiddenSize: Int
    public var heads: Int
    /// Blocks of the condition network.
    public var conditionDepth = 16
    /// Blocks of the encoder; the first half sees only visible tokens.
    public var depth = 32
    public var headDepth = 6
    /// Width of the diffusion head.
    public var headSize: Int
    /// 0 with text.
    public var classCount = 1000
    /// Width of the prompts' vectors; 0 makes a class-conditional model.
    public var textSize = 0
    public var textLength = 256
    /// Probability of training without label or prompt.
    public var conditionDropout: Double = 0.1
    public var mixer = LINAMixer.lina
    public var head = LINAHead.flow

    public init(hiddenSize: Int, heads: Int, headSize: Int? = nil) {
        self.hiddenSize = hiddenSize
        self.heads = heads
        self.headSize = headSize ?? hiddenSize
    }

    public var grid: TokenGrid { TokenGrid(height / patchSize, width / patchSize) }
    public var conditionGrid: TokenGrid { TokenGrid(conditionHeight, conditionWidth) }

    /// The published sizes.
    public static let presets: [String: LINAConfiguration] = {
        var presets: [String: LINAConfiguration] = [:]
        for (size, heads) in [(768, 12), (1024, 16), (1536, 16)] {
            presets["lina-c2i-d48w\(size)"] = LINAConfiguration(hiddenSize: size, heads: heads)
        }
        var softmax = LINAConfiguration(hiddenSize: 768, heads: 12)
        softmax.mixer = .softmax
        presets["lina-c2i-d48w768-softmax"] = softmax
        for pixels in [512, 1024] {
            var text = LINAConfiguration(hiddenSize: 1536, heads: 16)
            (text.inputChannels, text.patchSize, text.classCount, text.textSize) = (4, 2, 0, 2560)
            (text.height, text.width) = (pixels / 8, pixels / 8)
            (text.conditionHeight, text.conditionWidth) = (pixels / 32, pixels / 32)
            presets["lina-t2i-d48w1536-\(pixels)"] = text
        }
        return presets
    }()

    /// Mixers of a block that sees only what is visible, and of one that sees the whole grid.
    var mixers: (visible: TokenMixerConfiguration, whole: TokenMixerConfiguration) {
        var plain = LinearAttentionConfiguration(heads: heads)
        switch mixer {
        case .softmax: return (.softmax(heads: heads), .softmax(heads: heads))
        case .subtraction, .subtractionConvolution:
            plain.normalization = .subtraction
            plain.separatesQueries = true
        case .division, .divisionConvolution, .lina: break
        }
        var local = plain
        if [.divisionConvolution, .subtractionConvolution, .lina].contains(mixer) {
            local.locality = .depthwise
        }
        if mixer == .lina {
            local.gate = .keysAndValues
            local.gateTable = GateTable(prefix: conditionGrid.count, height: grid.height, width: grid.width)
        }
        return (.linear(plain), .linear(local))
    }

    /// - Throws: `ConfigurationError` naming the first field that cannot be.
    public func validate() throws {
        func require(_ condition: Bool, _ field: String, _ demand: String) throws {
            guard condition else { throw ConfigurationError(field: field, demand: demand) }
        }
        try require(inputChannels > 0, "inputChannels", "at least 1, found \(inputChannels)")
        try require(patchSize > 0, "patchSize", "at least 1, found \(patchSize)")
        for (name, size) in [("height", height), ("width", width)] {
            try require(
                size > 0 && size % patchSize == 0, name,
                "a positive multiple of the patch size \(patchSize), found \(size)")
        }
        try require(conditionHeight > 0, "conditionHeight", "at least 1, found \(conditionHeight)")
        try require(conditionWidth > 0, "conditionWidth", "at least 1, found \(conditionWidth)")
        try require(
            heads > 0 && hiddenSize > 0 && hiddenSize % heads == 0 && hiddenSize % 4 == 0, "hiddenSize",
            "a positive multiple of 4 and of the \(heads) heads, found \(hiddenSize)")
        try require(conditionDepth >= 0, "conditionDepth", "at least 0, found \(conditionDepth)")
        try require(depth > 0 && depth % 2 == 0, "depth", "positive and even, found \(depth)")
        try require(headDepth >= 0 && headSize > 0, "headSize", "at least 1, found \(headSize)")
        try require(
            (textSize > 0) != (classCount > 0), "classCount",
            "0 with text (textSize above 0) and positive without")
        try require(
            textSize == 0 || (1...512).contains(textLength), "textLength", "1 to 512, found \(textLength)")
        try require(
            (0..<1).contains(conditionDropout), "conditionDropout",
            "at least 0 and below 1, found \(conditionDropout)")
    }

    /// Every parameter's name and shape, without making the model.
    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = LINA(store.scope, self)
        return store.shapes
    }

    /// Whether the published training changes a parameter. Norms of label or text, the frame term and the unused patches
    /// of the condition network stay as they begin.
    public static func isTrained(_ name: String) -> Bool {
        !["label_embed.norm.", "text_embed.norm.", "video_pos_embed.", "video_encoder.patch_embed."]
            .contains(where: name.hasPrefix)
    }
}
