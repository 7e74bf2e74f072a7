import Archives
import Checkpoints
import Layers
import Recipes
import Tensors
import TestSupport
import Testing

@Suite struct LINAConversionTests {
    static let small = [
        "model.hiddenSize=8", "model.heads=2", "model.headSize=8", "model.inputChannels=2", "model.height=4",
        "model.width=4", "model.conditionHeight=2", "model.conditionWidth=2", "model.conditionDepth=1",
        "model.depth=2", "model.headDepth=1", "model.classCount=3",
    ]

    private static func overrides() throws -> [SettingsOverride] {
        try small.map(SettingsOverride.init(parsing:))
    }

    private static func weights() throws -> [String: Tensor] {
        TinyModel.weights(try Conversion.configuration("lina-c2i-d48w768", overrides: overrides()))
    }

    private func convert(_ weights: [String: Tensor], _ folder: String) throws -> Conversion {
        let path = joinPath(folder, "in.safetensors")
        try SafetensorsFile.write(weights.map { OutgoingTensor(name: $0.key, $0.value) }, to: path)
        return try Conversion(source: path, architecture: "lina-c2i-d48w768", overrides: Self.overrides())
    }

    @Test(arguments: [
        ("lina-c2i-d48w768", "c2i_d48w768_256", "16"), ("lina-c2i-d48w1024", "c2i_d48w1024_256", "16"),
        ("lina-c2i-d48w1536", "c2i_d48w1536_256", "16"), ("lina-t2i-d48w1536-512", "t2i_d48w1536_512", "64"),
        ("lina-t2i-d48w1536-1024", "t2i_d48w1536_1024", "128"),
        ("lina-c2i-d48w768-softmax", "c2i_d48w768_256_softmax", "16"),
    ])
    func `exactly the tensors of a released file are expected`(
        _ architecture: String, _ key: String, _ size: String
    ) throws {
        let text = String(
            decoding: try bytes(of: TestData.fixture("lina/checkpoint_manifest.json")), as: UTF8.self)
        let released = try #require(try JSONValue(parsing: text)[key]?["tensors"]?.object)
            .mapValues { $0.integers ?? [] }
        let configuration = try Conversion.configuration(architecture)
        #expect(
            ParameterDifferences(
                file: key, model: architecture, expected: configuration.model.parameterShapes, found: released
            ).isEmpty)
        #expect(configuration.size.description == size)
        var changed = released
        changed["label_embed.norm.weight"] = nil
        #expect(
            ParameterDifferences(
                file: key, model: architecture, expected: configuration.model.parameterShapes, found: changed
            ).isEmpty == (released["label_embed.norm.weight"] == nil))
    }

    @Test func `weights of the right names and shapes become a checkpoint that draws`() throws {
        try withTemporaryFolder { folder in
            let target = joinPath(folder, "out.safetensors")
            try convert(Self.weights(), folder).write(to: target, as: .float32)
            let model = try LoadedModel(path: target)
            #expect(model.configuration.model.name == "LINA" && model.configuration.size == ImageSize(4))
            let recipe = try SamplingRecipe(json: "{steps: 2, masked: {steps: 2}}", name: "recipe")
            let plan = try GenerationPlan(model: model, recipe: recipe, seeds: [1])
            #expect(!plan.makesImages && plan.channels == 2)
            var finished: Tensor?
            Generator(plan).run { event in
                if case .finished(_, let samples) = event { finished = samples }
                return true
            }
            #expect(finished?.shape == [1, 4, 4, 2])
            #expect(finished?.scalars.allSatisfy(\.isFinite) == true)
        }
    }

    @Test func `any other set of tensors is refused with every difference`() throws {
        let gate = "image_encoder.blocks.1.attn.key_scale"
        func lines(_ change: (inout [String: Tensor]) -> Void) throws -> [String] {
            try withTemporaryFolder { folder in
                var weights = try Self.weights()
                change(&weights)
                do { _ = try convert(weights, folder) } catch let error as ParameterDifferences {
                    return error.lines
                }
                return []
            }
        }
        #expect(try lines { _ in }.isEmpty)
        #expect(try lines { $0[gate] = nil } == ["missing     \(gate)"])
        #expect(try lines { $0["extra"] = .zeros([1]) } == ["unexpected  extra"])
        // A gate for another number of tokens.
        #expect(
            try lines { $0[gate] = .zeros([1, 2, 16, 1]) }
                == ["shape       \(gate) is [1, 2, 16, 1], needed [1, 2, 20, 1]"])
        let many = try lines { weights in
            for name in weights.keys where name.hasPrefix("image_decoder.") { weights[name] = nil }
        }
        #expect(many.count > 10 && many.allSatisfy { $0.hasPrefix("missing     image_decoder.") })
    }

    @Test func `an unknown architecture is answered with the nearest`() {
        #expect { try Conversion.configuration("lina-c2i-d48w769") } throws: {
            "\($0)" == "there is no architecture \"lina-c2i-d48w769\"; did you mean lina-c2i-d48w768?"
        }
    }
}
