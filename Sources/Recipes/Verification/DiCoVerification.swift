import Backbones
import Checkpoints
import Layers
import Tensors

/// Rebuilds the parity cases of DiCo: a block, the embedders, the other parts, whole networks (with stored or
/// generated parameters), guided predictions and training traces.
enum DiCoVerification: FixtureFamily {
    /// Largest difference over RMS (`specs/dico.md`, section 10).
    static let outputTolerance = 1e-4
    static let gradientTolerance = 1e-3

    private static let kinds: [String: @Sendable (Fixture) throws -> VerificationResult] = [
        "block": verifyBlock, "embedders": verifyEmbedders, "pieces": verifyPieces, "full": verifyNetwork,
        "cfg": verifyGuided, "train": verifyTraining,
    ]

    static func recognizes(_ fixture: Fixture) -> Bool {
        guard let kind = fixture.config["kind"]?.string, kinds[kind] != nil else { return false }
        return fixture.config["hidden_size"] != nil && fixture.source.contains("DiCo")
    }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        guard let kind = fixture.config["kind"]?.string, let verify = kinds[kind] else {
            throw UnsupportedFixture("\(fixture.name) is no case of DiCo")
        }
        return try verify(fixture)
    }

    private static func verifyBlock(_ fixture: Fixture) throws -> VerificationResult {
        let width = try fixture.integer("hidden_size")
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let block = DiCoBlock(store.scope, channels: width, mlpRatio: try fixture.number("mlp_ratio"))
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor.variable
        let c = try fixture.input("c").tensor.variable
        guard let trace = block.trace(x, condition: c) else {
            throw UnsupportedFixture("\(fixture.name): the block's mixer records nothing")
        }

        var check = GradientCheck(fixture)
        try check.output("mod1", trace.modulated)
        try check.output("conv_gelu", trace.activated)
        try check.output("ca_gate", trace.gate)
        try check.output("after_conv_branch", trace.afterMixer)
        try check.output("y", trace.result)
        try check.backward(trace.result, "y", inputs: [("x", x), ("c", c)])
        try check.parameters(store)
        return check.result
    }

    private static func verifyEmbedders(_ fixture: Fixture) throws -> VerificationResult {
        let width = try fixture.integer("hidden_size")
        let classes = try fixture.integer("num_classes")
        let features = try fixture.integer("frequency_embedding_size")
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let time = TimestepEmbedder(store.scope / "t_embedder", width: width, featureCount: features)
        let label = LabelEmbedder(
            store.scope / "y_embedder", classCount: classes,
            hasNullClass: try fixture.number("dropout_prob") > 0,
            widths: [width, 2 * width, 4 * width])
        try store.validate()

        var check = GradientCheck(fixture)
        let times = try fixture.input("t").floats
        let prefix = "timestep_embedding_"
        for output in fixture.outputs where output.name.hasPrefix(prefix) {
            guard let count = Int(output.name.dropFirst(prefix.count)) else { continue }
            try check.output(output.name, timestepFeatures(times, count: count))
        }
        try check.output("t_emb_int", time(try fixture.input("t_int").floats))
        let embedded = time(times)
        try check.output("t_emb", embedded)
        try check.backward(embedded, "t_emb")
        let labels = try fixture.input("y").integers
        let dropped = zip(labels, try fixture.input("force_drop_ids").integers).map {
            $1 == 1 ? nil : Optional($0)
        }
        for level in 0..<3 {
            try check.output("y_emb_\(level)", label(labels, level: level))
            let masked = label(dropped, level: level)
            try check.output("y_emb_dropped_\(level)", masked)
            try check.backward(masked, "y_emb_dropped_\(level)")
        }
        try check.parameters(store)
        return check.result
    }

    private static func verifyPieces(_ fixture: Fixture) throws -> VerificationResult {
        let width = try fixture.integer("hidden_size")
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let stem = Convolution(
            store.scope / "x_embedder.proj", try fixture.integer("in_channels"), width, kernel: 3)
        let down = Downsample(store.scope / "down", channels: width)
        let up = Upsample(store.scope / "up", channels: width)
        let final = FinalLayer(
            store.scope / "final_layer", channels: width, outputs: try fixture.integer("out_channels"))
        try store.validate()

        var check = GradientCheck(fixture)
        func piece(_ name: String, _ apply: (Tensor) -> Tensor) throws {
            let x = try fixture.input("\(name).x").channelsLastTensor.variable
            let y = apply(x)
            try check.output("\(name).y", y)
            try check.backward(y, "\(name).y", inputs: [("\(name).x", x)])
        }
        try piece("x_embedder") { stem($0) }
        try piece("down") { down($0) }
        try piece("up") { up($0) }
        try piece("norm") { $0.layerNorm(epsilon: DiCoBlock.epsilon) }
        let x = try fixture.input("final_layer.x").channelsLastTensor.variable
        let c = try fixture.input("final_layer.c").tensor.variable
        let y = final(x, condition: c)
        try check.output("final_layer.y", y)
        try check.backward(y, "final_layer.y", inputs: [("final_layer.x", x), ("final_layer.c", c)])
        let cells = try fixture.input("shuffle.x").channelsLastTensor
        try check.output("pixel_shuffle2", cells.pixelShuffled(by: 2))
        try check.output("pixel_unshuffle2", cells.pixelUnshuffled(by: 2))
        try check.parameters(store)
        return check.result
    }

    private static func verifyNetwork(_ fixture: Fixture) throws -> VerificationResult {
        let configuration = try DiCoConfiguration(fixture)
        var check = GradientCheck(fixture)
        let parameters = try generatedParameters(configuration, fixture, &check) ?? fixture.parameterTensors
        let store = ParameterStore(.loaded(parameters), isTracked: true)
        let model = DiCo(store.scope, configuration)
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor.variable
        let y = model.predict(
            x, time: try fixture.input("t").floats,
            labels: configuration.labels(try fixture.input("y").integers))
        try check.output("out", y)
        try check.backward(y, "out", inputs: [("x", x)])
        try check.parameters(store)
        return check.result
    }

    /// Parameters of a case that only names their exponents; their stored first values are compared.
    private static func generatedParameters(
        _ configuration: DiCoConfiguration, _ fixture: Fixture, _ check: inout GradientCheck
    ) throws -> [String: Tensor]? {
        guard let exponents = fixture.metadata("gen_exp2")?.object else { return nil }
        let seed = try fixture.integer("seed")
        var result: [String: Tensor] = [:]
        for (name, shape) in configuration.parameterShapes {
            guard let exponent = exponents[name]?.integer else {
                throw CheckpointFileError(file: fixture.path, problem: "gen_exp2 has no exponent for \(name)")
            }
            let values = CounterGenerator.values(
                seed: seed, key: name, exponent: exponent, count: shape.elementCount)
            result[name] = Tensor(shape: shape, scalars: values)
            if let head = fixture.file["param_head." + name] {
                let count = head.elementCount
                check.result.addOutput(
                    Comparison(
                        name: head.name, Array(values.prefix(count)), shape: head.shape, expected: head),
                    within: 0)
            }
        }
        return result
    }
}

extension DiCoConfiguration {
    /// The network a parity case describes, in the published constructor's words.
    init(_ fixture: Fixture) throws {
        self.init(
            inputChannels: try fixture.integer("in_channels"), hiddenSize: try fixture.integer("hidden_size"),
            depth: try fixture.integers("depth"), mlpRatio: try fixture.number("mlp_ratio"),
            classCount: try fixture.integer("num_classes"),
            classDropout: try fixture.number("class_dropout_prob"),
            learnSigma: try fixture.bool("learn_sigma"))
        try validate()
    }

    /// Published labels: the number behind the last class means "no class".
    func labels(_ numbers: [Int]) -> [Int?] { numbers.map { $0 == classCount ? nil : $0 } }
}
