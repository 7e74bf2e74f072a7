import Archives
import Autoregression
import Backbones
import Checkpoints
import Images
import Layers
import Recipes
import Tensors
import TestSupport
import Testing
import Training

/// A tiny autoencoder and models of its codes.
enum TinyTokens {
    static let tokenizer = """
        {codec: {width: 32, multipliers: [1, 1], residualBlocks: 0, latentChannels: 4, usesAttention: false,
          usesMiddleAttention: false},
        quantizer: {vocabulary: 8, channels: 4, pyramid: {grids: [1, 2, 4], sizing: spectral}}}
        """
    static let predictors = [
        "{kind: scaleMarkov, width: 8, depth: 1}", "{kind: transformer, depth: 1, width: 8, heads: 2}",
    ]

    static func settings(_ predictor: String) -> String {
        "{kind: nextFrequencyTokens, tokenizer: \(tokenizer), predictor: \(predictor), classCount: 3}"
    }

    static func make(_ predictor: String) throws -> LoadedModel {
        let text = "{model: \(settings(predictor)), size: 8, classes: [ant, bee, cat]}"
        let configuration = try CheckpointConfiguration(json: text, name: "codes")
        return try LoadedModel(
            path: "codes", configuration: configuration, weights: TinyModel.weights(configuration),
            digest: "89ab")
    }

    /// Random weights of the autoencoder as a checkpoint.
    static func writeTokenizer(_ path: String, yaml: String = tokenizer) throws {
        let text = "{model: {kind: frvae, " + yaml.dropFirst() + "}"
        let config = try AutoencoderCheckpoint(json: text, name: "tokenizer")
        let store = ParameterStore(.initialized(seed: 4), isTracked: false)
        _ = try FRVAE(store.scope, config.model.frvae)
        let weights = (store.all + store.buffers).map { OutgoingTensor(name: $0.name, $0.tensor) }
        try Checkpoint.write(weights, config: config.node.json, to: path)
    }
}

@Suite struct TokenModelTests {
    private func plan(_ predictor: String, _ recipe: String, seeds: [UInt64] = [0, 1, 2]) throws
        -> GenerationPlan
    {
        try GenerationPlan(
            model: TinyTokens.make(predictor), recipe: SamplingRecipe(json: recipe, name: "recipe"),
            seeds: seeds)
    }

    @Test(arguments: TinyTokens.predictors) func `an image of codes depends on its own seed alone`(
        _ predictor: String
    ) throws {
        let recipe = "{guidance: {scale: 2}, codes: {topK: 6, topP: 0.95}}"
        let alone = try plan(predictor, recipe, seeds: [7]).samples()[0]
        #expect(try plan(predictor, recipe, seeds: [1, 7, 3]).samples()[1] == alone)
        #expect(try plan(predictor, recipe, seeds: [1, 3, 7]).samples(batch: 2)[2] == alone)
        #expect(try plan(predictor, recipe, seeds: [4]).samples()[0] != alone)
    }

    @Test(arguments: TinyTokens.predictors) func `previews of each level end in the image itself`(
        _ predictor: String
    ) throws {
        let plan = try plan(predictor, "{codes: {isSmooth: true}}")
        #expect(plan.stepCount == 3)
        #expect(
            plan.description.contains("codes       all, mixed smoothly\n")
                || plan.description.contains("codes       mixed smoothly\n"))
        var previews: [[Image]] = []
        var final: [Image] = []
        Generator(plan).run { event in
            switch event {
            case .step(let step): previews.append(step.previews)
            case .finished(_, let tensor): final = Image.batch(tensor)
            }
            return true
        }
        #expect(previews.count == 3 && previews[0] != previews[2])
        #expect(previews[2] == final)
    }

    @Test func `the codes of a given image's low levels are kept`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/given.png"
            let picture = (0..<192).map { UInt8($0 * 41 % 256) }
            try Image(width: 8, height: 8, channels: 3, samples: picture).write(to: path)
            let predictor = TinyTokens.predictors[0]
            let kept = try plan(predictor, "{bands: {from: '\(path)', keep: 2, until: 3}}").samples()
            #expect(Set(kept).count > 1)
            // Up to the kept levels nothing is drawn, so that seeds make no difference.
            var first: [[Image]] = []
            Generator(try plan(predictor, "{bands: {from: '\(path)', keep: 2}}")).run { event in
                if case .step(let step) = event { first.append(step.previews) }
                return true
            }
            #expect(first[0][0] == first[0][1] && first[1][0] == first[1][2])
            #expect(first[2][0] != first[2][1])
        }
    }

    @Test(arguments: [
        ("{bands: {steps: [1, 1, 1]}}", "bands.steps must be left out"),
        ("{bands: {contextNoise: 0.1}}", "bands.contextNoise must be left out"),
        ("{bands: {until: 4}}", "bands.until must be in 1…3"),
        ("{codes: {topP: 2}}", "codes.topP must be from 0 to 1"),
        ("{codes: {topK: -1}}", "codes.topK must be at least 0"), ("{size: 16}", "size must be 8"),
    ])
    func `what cannot be drawn is said`(_ recipe: String, _ message: String) {
        #expect { try plan(TinyTokens.predictors[0], recipe) } throws: { "\($0)".contains(message) }
    }

    @Test func `a model without codes refuses settings of codes`() {
        #expect { try GenerationPlanTests.plan("{codes: {topK: 3}}") } throws: {
            "\($0)".contains("only models of codes draw them")
        }
    }

    private func train(
        _ folder: String, predictor: String, tokenizer: String?, yaml: String = TinyTokens.tokenizer,
        steps: Int,
        resume: Bool = false
    ) throws {
        let weights = tokenizer.map { ", tokenizerWeights: '\($0)'" } ?? ""
        let text = """
            {model: {kind: nextFrequencyTokens, tokenizer: \(yaml), predictor: \(predictor),
              classCount: 10\(weights)}, data: {kind: shapes, count: 24, size: 8}, batchSize: 4, steps: \(steps),
            optimizer: {accumulation: 2, average: {decay: 0.5}}, checkpoints: {every: 2},
            samples: {every: 2, count: 2, sampler: {guidance: {scale: 2}}}, log: {every: 1, tensorBoard: false}}
            """
        let plan = try TrainingPlan(
            TrainingConfiguration(SettingsNode(yaml: text, name: "codes", hasLines: false)), origin: "codes")
        let run = try TrainingRun(plan, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
    }

    @Test(arguments: TinyTokens.predictors)
    func `a run stopped and resumed ends with the bytes of one left alone`(
        _ predictor: String
    ) throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            let tokenizer = folder + "/tokenizer.safetensors"
            try TinyTokens.writeTokenizer(tokenizer)
            try train(whole, predictor: predictor, tokenizer: tokenizer, steps: 4)
            try train(broken, predictor: predictor, tokenizer: tokenizer, steps: 2)
            try train(broken, predictor: predictor, tokenizer: tokenizer, steps: 4, resume: true)
            for file in ["model.safetensors", "checkpoints/step-00000004.safetensors"] {
                #expect(try bytes(of: joinPath(whole, file)) == bytes(of: joinPath(broken, file)), "\(file)")
            }
            // The tokenizer is in the model as it was.
            let model = try Checkpoint(path: joinPath(whole, "model.safetensors"))
            let original = try Checkpoint(path: tokenizer).tensors
            for tensor in original {
                let own = try #require(model.tensors.first { $0.name == "tokenizer." + tensor.name })
                #expect(own.floats == tensor.floats, "\(tensor.name)")
            }
            #expect(model.tensors.count > original.count)
            #expect(try LoadedModel(path: whole).configuration.size == ImageSize(8))
        }
    }

    @Test func `another tokenizer than the configuration's is refused`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/tokenizer.safetensors"
            try TinyTokens.writeTokenizer(path)
            let predictor = TinyTokens.predictors[0]
            func refusal(_ tokenizer: String?, _ yaml: String = TinyTokens.tokenizer) -> String {
                do {
                    try train(
                        folder + "/run", predictor: predictor, tokenizer: tokenizer, yaml: yaml, steps: 1)
                    return ""
                } catch { return "\(error)" }
            }
            #expect(refusal(nil).contains("model.tokenizerWeights"))
            #expect(
                refusal(path, TinyTokens.tokenizer.replacing("[1, 2, 4]", with: "[1, 4]")).contains(
                    "model.tokenizer has grids [1×1, 4×4], the checkpoint has [1×1, 2×2, 4×4]"))
            #expect(
                refusal(path, TinyTokens.tokenizer.replacing("vocabulary: 8", with: "vocabulary: 16"))
                    .contains(
                        "is another tokenizer than model.tokenizer: quantizer.vocabulary"))
            #expect(refusal(folder + "/none").contains("cannot read"))
        }
    }
}

@Suite struct NextFrequencyConversionTests {
    @Test func `the released transformer's checkpoint has exactly the expected names and shapes`() throws {
        let text = String(
            decoding: try bytes(of: TestData.fixture("nfig/keys_var_d16.json")), as: UTF8.self)
        let released = try #require(try JSONValue(parsing: text)["tensors"]?.array)
        var stored: [String: [Int]] = [:]
        for entry in released {
            if let name = entry[0]?.string, let shape = entry[1]?.integers { stored[name] = shape }
        }
        let configuration = try #require(VARConfiguration.presets["var-d16"])
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = VAR(store.scope, configuration)
        var expected = Dictionary(uniqueKeysWithValues: store.shapes.map { ($0.name, $0.shape.extents) })
        for (name, shape) in VARCheckpoint.tables(configuration) { expected[name] = shape.extents }
        #expect(
            ParameterDifferences(file: "keys", model: "var-d16", expected: expected, found: stored).isEmpty)
    }

    private static let small = [
        "model.predictor={kind: transformer, depth: 1, width: 8, heads: 2}",
        "model.tokenizer.codec={width: 32, multipliers: [1, 1], residualBlocks: 0, latentChannels: 4, "
            + "usesAttention: false, usesMiddleAttention: false}",
        "model.tokenizer.quantizer={vocabulary: 8, channels: 4, usesBands: false, pyramid: {grids: [1, 2]}}",
        "model.classCount=3",
    ]

    /// Files as the released ones are, but small: tables beside parameters, everything under `prefix`.
    private func write(_ folder: String, prefix: String = "", levels: [Float] = [0, 1, 1, 1, 1]) throws {
        var configuration = VARConfiguration(
            grids: [Grid(1), Grid(2)], depth: 1, width: 8, heads: 2, vocabulary: 8, tokenChannels: 4,
            classCount: 3)
        configuration.mlpRatio = 4
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        _ = VAR(store.scope, configuration)
        var tensors = store.all.map { OutgoingTensor(name: prefix + $0.name, $0.tensor) }
        tensors.append(OutgoingTensor(name: prefix + "lvl_1L", Tensor(shape: [1, 5], scalars: levels)))
        tensors.append(OutgoingTensor(name: prefix + "blocks.0.attn.zero_k_bias", Tensor.zeros([8])))
        try SafetensorsFile.write(tensors, to: folder + "/var.safetensors")
        var codec = FRVAEConfiguration.released
        codec.codec = VQVAEConfiguration(
            width: 32, multipliers: [1, 1], residualBlocks: 0, latentChannels: 4, usesAttention: false,
            usesMiddleAttention: false)
        (codec.quantizer.vocabulary, codec.quantizer.channels) = (8, 4)
        codec.quantizer.pyramid.grids = [Grid(1), Grid(2)]
        let weights = ParameterStore(.initialized(seed: 2), isTracked: false)
        _ = try FRVAE(weights.scope, codec)
        let own = weights.all.map { OutgoingTensor(name: "trainer.vae_local." + $0.name, $0.tensor) }
        // Statistics of another number of levels.
        let usage = OutgoingTensor(
            name: "trainer.vae_local.quantize.ema_vocab_hit_SV", Tensor.zeros([7, 8]))
        try SafetensorsFile.write(own + [usage], to: folder + "/vae.safetensors")
    }

    private func convert(_ folder: String, tokenizer: Bool = true) throws -> NextFrequencyConversion {
        try NextFrequencyConversion(
            source: folder + "/var.safetensors", architecture: "var-d16",
            tokenizer: tokenizer ? folder + "/vae.safetensors" : nil,
            overrides: Self.small.map(SettingsOverride.init(parsing:)))
    }

    @Test(arguments: ["", "trainer.var_wo_ddp.", "module."])
    func `a transformer and its tokenizer become one model that draws`(_ prefix: String) throws {
        try withTemporaryFolder { folder in
            try write(folder, prefix: prefix)
            let conversion = try convert(folder)
            #expect(conversion.prefix == prefix)
            try conversion.write(to: folder + "/out.safetensors", as: .float32)
            let model = try LoadedModel(path: folder + "/out.safetensors")
            #expect(model.configuration.size == ImageSize(4))
            let plan = try GenerationPlan(
                model: model, recipe: SamplingRecipe(json: "{guidance: {scale: 1.5}}", name: "recipe"),
                seeds: [3])
            var isFinite = false
            Generator(plan).run { event in
                if case .finished(_, let tensor) = event { isFinite = tensor.nonFiniteCount == 0 }
                return true
            }
            #expect(isFinite)
        }
    }

    @Test func `a file of other levels, a missing tokenizer and foreign tensors are refused`() throws {
        try withTemporaryFolder { folder in
            try write(folder)
            #expect { try convert(folder, tokenizer: false) } throws: {
                "\($0)".contains("give its weights with --tokenizer")
            }
            #expect {
                try NextFrequencyConversion(
                    source: folder + "/vae.safetensors", architecture: "vae-ch160v4096z32", tokenizer: nil,
                    overrides: [])
            } throws: { ($0 as? ParameterDifferences)?.missing.isEmpty == false }
            try write(folder, levels: [0, 0, 1, 1, 1])
            #expect { try convert(folder) } throws: { "\($0)".contains("tokens of other levels") }
        }
    }

    @Test func `a trained autoencoder is rewritten without its discriminator`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/tokenizer.safetensors"
            try TinyTokens.writeTokenizer(path)
            #expect(NextFrequencyConversion.isAutoencoder(path))
            try NextFrequencyConversion(autoencoder: path).write(
                to: folder + "/half.safetensors", as: .bfloat16)
            let half = try LoadedAutoencoder(path: folder + "/half.safetensors")
            #expect(half.configuration == (try LoadedAutoencoder(path: path)).configuration)
            #expect(try Inspection(path: path, size: nil).parameterCount > 0)
        }
    }
}
