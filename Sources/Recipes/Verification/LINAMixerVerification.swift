import Backbones
import Checkpoints
import Layers
import Tensors

/// The mixer that a class of the original's `vision_transformer*.py` stands for.
struct LINAMixerSource {
    /// What follows `vision_transformer` in the file's name.
    var variant: String
    /// Whether it is the class for blocks that see the whole grid.
    var isDecoder: Bool

    /// Reads "… vision_transformer_linear9.py class Attention".
    init?(_ source: String) {
        guard let start = source.range(of: "vision_transformer"),
            let end = source[start.upperBound...].range(of: ".py")
        else { return nil }
        variant = String(source[start.upperBound..<end.lowerBound])
        isDecoder = source[end.upperBound...].contains("LinearAttentionDecoder")
    }

    init(variant: String, isDecoder: Bool) {
        self.variant = variant
        self.isDecoder = isDecoder
    }

    /// - Parameter table: positions of a stored gate.
    /// - Throws: `UnsupportedFixture` for an ablation without a counterpart here.
    func configuration(heads: Int, hasQKVBias: Bool = true, table: GateTable?, _ config: JSONValue) throws
        -> TokenMixerConfiguration
    {
        var linear = LinearAttentionConfiguration(heads: heads)
        linear.hasQKVBias = hasQKVBias
        linear.gateTable = table
        func subtraction() {
            linear.normalization = .subtraction
            linear.separatesQueries = true
        }
        switch variant {
        case "": return .softmax(heads: heads, hasQKVBias: hasQKVBias)
        case "_linear1": linear.separatesQueries = true
        case "_linear2": linear.rotatesAfterKernel = true
        case "_linear3", "_linear6": break
        case "_linear4": linear.hasOutputGate = true
        case "_linear5": linear.kernelFunction = .identity
        case "_linear7":
            guard let count = config["mediator_num"]?.integer, count > 0 else {
                throw UnsupportedFixture("mediator attention needs a positive mediator_num")
            }
            return .mediator(heads: heads, count: count)
        case "_linear8":
            subtraction()
            linear.locality = .dynamicSequence
        case "_linear9":
            subtraction()
            linear.kernelFunction = try Self.kernel(config["kernel_func"]?.string ?? "relu")
        case "_linear_decouple4":
            subtraction()
            if isDecoder { linear.locality = .dynamicGrid }
        case "_linear_decouple6" where !isDecoder:
            subtraction()
            linear.locality = .unusedDynamicSequence
        case "_linear_decouple10":
            subtraction()
            if isDecoder { linear.locality = .depthwise }
        default:
            guard let gate = Self.gates[variant] else {
                throw UnsupportedFixture("the mixer vision_transformer\(variant).py has no counterpart")
            }
            if isDecoder { (linear.locality, linear.gate) = (.depthwise, gate) }
        }
        return .linear(linear)
    }

    private static let gates: [String: GateKind] = [
        "_linear_decouple1": .none, "_linear_decouple1_kvscale1": .keysAndValues,
        "_linear_decouple1_kvscale1_high_res": .keysAndValues,
        "_linear_decouple1_kvscale1_hybrid1": .keysAndValues,
        "_linear_decouple1_kvscale2": .shared, "_linear_decouple1_kvscale3": .keys,
        "_linear_decouple1_kvscale4": .values, "_linear_decouple1_kvscale5": .splitKeys,
        "_linear_decouple1_kvscale6": .dynamic,
    ]

    private static func kernel(_ name: String) throws -> KernelFunction {
        switch name {
        case "relu": return .relu
        case "identity": return .identity
        case "leakyrelu": return .leakyRelu
        default: throw UnsupportedFixture("the kernel function \"\(name)\" is not known")
        }
    }
}

extension LINACheck {
    /// A decoder's sequence: one condition token for every four of a square grid.
    func decoderLayout(tokens: Int) throws -> TokenLayout {
        let prefix = tokens / 5
        let side = Int(Double(tokens - prefix).squareRoot().rounded())
        try require(
            side * side == tokens - prefix, "\(tokens) tokens are no square grid behind a fifth of them")
        return TokenLayout(prefix: prefix, grid: TokenGrid(side, side))
    }

    /// The mixer of a case, and where its tokens lie.
    func mixer(_ source: LINAMixerSource, tokens: Int) throws -> (TokenMixerConfiguration, TokenLayout) {
        let layout = source.isDecoder ? try decoderLayout(tokens: tokens) : TokenLayout()
        var table = layout.grid.map { GateTable(prefix: layout.prefix, height: $0.height, width: $0.width) }
        if let length = config["max_seq_len"]?.integer {
            table = GateTable(prefix: length, height: 0, width: 0, fit: .first)
        }
        let mixer = try source.configuration(
            heads: try positive("num_heads"), hasQKVBias: config["qkv_bias"]?.bool ?? true, table: table,
            config)
        try mixer.validate(width: try positive("dim"))
        if let table, case .linear(let linear) = mixer, linear.gate != .none, linear.gate != .dynamic {
            try table.check(layout)
        }
        return (mixer, layout)
    }
}

extension LINAVerification {
    /// One attention module with its vector-Jacobian product.
    static func verifyMixer(_ check: inout LINACheck) throws {
        guard let source = LINAMixerSource(check.fixture.source) else {
            throw UnsupportedFixture("\(check.fixture.name): the source names no mixer")
        }
        let (width, tokens) = (try check.positive("dim"), try check.positive("tokens"))
        if source.variant == "_linear5" { check.gradientTolerance = 1e-3 }
        let (mixer, layout) = try check.mixer(source, tokens: tokens)
        let store = check.store()
        let attention = mixer.makeMixer(store.scope, width: width)
        try store.validate()
        let x = try check.input("x", [nil, tokens, width]).variable
        let rotation = try rotation(&check, samples: x.shape[0], tokens: tokens)
        let y = attention(x, layout: layout, rotation: rotation)
        try check.output("y", y)
        try check.backward([("y", y)], inputs: [("x", x)], store)
    }

    /// The rotation of a case with positions, compared with the recorded one.
    private static func rotation(_ check: inout LINACheck, samples: Int, tokens: Int) throws -> Rotation? {
        guard check.fixture.file["input.pos"] != nil else { return nil }
        var positions = try check.input("pos", [samples, nil, 3])
        if check.fixture.file["input.ids"] != nil {
            positions = positions.gatheringTokens(
                try check.indices("ids", samples: samples, below: positions.shape[1], allDistinct: false))
        }
        let prefix = try check.fixture.integer("pad")
        let width = try check.positive("dim") / (try check.positive("num_heads"))
        try check.require(
            prefix >= 0 && prefix + positions.shape[1] == tokens && width % 32 == 0,
            "\(positions.shape[1]) positions behind \(prefix) do not fit \(tokens) tokens with heads of \(width)"
        )
        let rotation = Rotation(
            positions: positions, prefix: prefix, headWidth: width,
            theta: Float(check.config["theta"]?.number ?? 10_000))
        let expected = try check.fixture.input("rope_weight")
        check.result.addOutput(
            Comparison(
                name: "rope_weight", rotationMatrices(rotation),
                shape: [samples, 1, tokens, width / 2, 2, 2],
                expected: expected), within: LINACheck.outputTolerance)
        return rotation
    }

    /// `[[cos, −sin], [sin, cos]]` of every angle.
    static func rotationMatrices(_ rotation: Rotation) -> [Float] {
        zip(rotation.cosine.scalars, rotation.sine.scalars).flatMap { [$0, -$1, $1, $0] }
    }

    static func verifyBlock(_ check: inout LINACheck) throws {
        guard var source = LINAMixerSource(check.fixture.source) else {
            throw UnsupportedFixture("\(check.fixture.name): the source names no block")
        }
        source.isDecoder = check.config["mode"]?.string == "decoder"
        let (width, tokens) = (try check.positive("dim"), try check.positive("tokens"))
        let (mixer, layout) = try check.mixer(source, tokens: tokens)
        let store = check.store()
        let block = LINABlock(
            store.scope, width: width, mlpRatio: try check.positiveNumber("mlp_ratio"), mixer: mixer,
            epsilon: Float(check.config["layernorm_eps"]?.number ?? 1e-5))
        try store.validate()
        let x = try check.input("x", [nil, tokens, width]).variable
        let y = block(x, layout: layout)
        try check.output("y", y)
        try check.backward([("y", y)], inputs: [("x", x)], store)
    }

    /// A whole vision transformer with visible tokens.
    static func verifyEncoder(_ check: inout LINACheck) throws {
        let (width, depth) = (try check.positive("embed_dim"), try check.positive("depth"))
        let (tokens, count) = (try check.positive("tokens"), try check.fixture.integer("cond_tokens"))
        let side = Int(Double(tokens).squareRoot().rounded())
        let isImage = check.config["image_model"]?.bool ?? true
        let visibleDepth = try check.fixture.integer("encoder_depth")
        try check.require(
            side * side == tokens && (0...depth).contains(visibleDepth) && width % 4 == 0 && count > 0,
            "its config describes no encoder of a square grid")
        let grid = TokenGrid(side, side)
        let table = GateTable(prefix: count, height: side, width: side)
        let mixers = try (0..<depth).map { block in
            let source = LINAMixerSource(
                variant: try check.fixture.string("mixer"), isDecoder: isImage && block >= visibleDepth)
            return try source.configuration(
                heads: try check.positive("num_heads"), table: table, check.config)
        }
        for mixer in mixers { try mixer.validate(width: width) }
        let store = check.store()
        let encoder = MaskedEncoder(
            store.scope,
            .init(
                channels: try check.positive("image_dim"), patchSize: try check.positive("patch_size"),
                width: width,
                mixers: mixers, visibleDepth: visibleDepth))
        try store.validate()
        let x = try check.input("x", [nil, tokens, width]).variable
        let samples = x.shape[0]
        let c = try check.input("c", [samples, count, width]).variable
        let visible = try check.indices("prev_ids", samples: samples, below: tokens)
        let hasPositions = check.config["pos_embed"]?.string == "sincos2d"
        let positioned =
            hasPositions ? x + gridPositionTable(grid, width: width).broadcastSamples(samples) : x
        let z = encoder(positioned, condition: c, grid: grid, visible: visible)
        try check.output("z", z)
        try check.backward([("z", z)], inputs: [("x", x), ("c", c)], store)
    }
}
