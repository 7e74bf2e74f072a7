import Archives
import Checkpoints
import Layers
import Recipes
import TestSupport
import Testing
import Training

@Suite struct AutoencoderRunTests {
    private func configuration(
        steps: Int = 4, size: Int = 8, quantizer: String = "pyramid: {grids: [1, 2, 4], sizing: spectral}",
        loss: String = "{adversarial: {startStep: 1, layers: 1, width: 4}}"
    ) throws -> AutoencoderConfiguration {
        let yaml = """
            {model: {kind: frvae,
              codec: {width: 32, multipliers: [1, 1], residualBlocks: 0, latentChannels: 4, usesAttention: false,
                usesMiddleAttention: false},
              quantizer: {vocabulary: 16, channels: 4, \(quantizer)}},
            data: {kind: shapes, count: 24, size: \(size), holdout: 4}, loss: \(loss), batchSize: 2,
            steps: \(steps), optimizer: {accumulation: 2, average: {decay: 0.5}}, checkpoints: {every: 2},
            reconstructions: {every: 2, count: 3, scoredCount: 4}, log: {every: 1, tensorBoard: false}}
            """
        return try AutoencoderConfiguration(SettingsNode(yaml: yaml, name: "code", hasLines: false))
    }

    private func train(_ configuration: AutoencoderConfiguration, _ folder: String, resume: Bool = false)
        throws
    {
        let run = try AutoencoderRun(configuration, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
    }

    @Test func `a run stopped and resumed ends with the bytes of one left alone`() throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            try train(configuration(), whole)
            try train(configuration(steps: 2), broken)
            try train(configuration(), broken, resume: true)
            for file in [
                "model.safetensors", "checkpoints/step-00000004.safetensors", "samples/step-00000004.png",
            ] {
                #expect(try bytes(of: joinPath(whole, file)) == bytes(of: joinPath(broken, file)), "\(file)")
            }
        }
    }

    @Test func `the log tells every loss and the codes in use, and the discriminator stays out of the model`()
        throws
    {
        try withTemporaryFolder { folder in
            try train(configuration(), folder)
            let log = String(decoding: try bytes(of: joinPath(folder, "log.jsonl")), as: UTF8.self)
            let lines = try log.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
            let steps = lines.filter { $0["loss"] != nil }
            #expect(steps.count == 4)
            #expect(steps[0]["adversarial"] == nil && steps[0]["discriminator"] == nil)
            #expect(steps[1]["adversarial"] != nil && steps[1]["discriminator"] != nil)
            for level in 1...3 {
                let share = try #require(steps[3]["codes used \(level)"]?.number)
                #expect(share > 0 && share <= 1)
            }
            #expect(lines.contains { $0["validation"]?["psnr"]?.number != nil })
            let names = try Checkpoint(path: joinPath(folder, "model.safetensors")).tensors.map(\.name)
            #expect(names.contains("quantize.ema_vocab_hit_SV") && names.contains("encoder.conv_in.weight"))
            #expect(!names.contains { $0.hasPrefix("discriminator") })
            let state = try TrainingState(path: joinPath(folder, "checkpoints/step-00000004.safetensors"))
            #expect(state.model.keys.contains { $0.hasPrefix("discriminator") })
        }
    }

    @Test func `the discriminator learns its own loss, not the autoencoder's`() throws {
        // With its share of the loss all but switched off, what it learns is the same.
        try withTemporaryFolder { folder in
            func discriminator(_ weight: Double) throws -> [Float] {
                let name = joinPath(folder, "\(weight)")
                let loss = "{adversarial: {weight: \(weight), startStep: 0, layers: 1, width: 4}}"
                try train(configuration(steps: 1, loss: loss), name)
                let state = try TrainingState(path: joinPath(name, "checkpoints/step-00000001.safetensors"))
                return try #require(state.firstMoments["discriminator.main.0.weight"]).scalars
            }
            let (much, little) = (try discriminator(100), try discriminator(1e-6))
            #expect(much == little)
            #expect(much.contains { $0 != 0 })
        }
    }

    @Test(arguments: [
        (16, "pyramid: {grids: [1, 2, 4]}", "{}", "data.size must be 8, because the finest grid is 4×4"),
        (8, "pyramid: {grids: [4, 2]}", "{}", "model.quantizer.pyramid.grids must be in ascending order"),
        (8, "pyramid: {grids: []}", "{}", "model.quantizer.pyramid.grids must be at least one grid"),
        (
            8, "pyramid: {grids: [4]}", "{adversarial: {layers: 3}}",
            "loss.adversarial.layers must be fewer: 3 need images of at least 24 pixels, these have 8"
        ),
        (8, "pyramid: {grids: [4]}", "{adversarial: {weight: 0}}", "loss.adversarial.weight must be above 0"),
        (
            8, "pyramid: {grids: [4]}", "{perceptual: {weight: 2}}",
            "loss.perceptual.trunk must be the weights of VGG-16"
        ),
        (
            8, "pyramid: {grids: [4]}", "{perceptual: {trunk: vgg.pth}}",
            "loss.perceptual must be left out: VGG needs colour images of at least 17 pixels, these are 8 with 3"
        ),
    ])
    func `what does not fit is named`(_ size: Int, _ quantizer: String, _ loss: String, _ message: String) {
        #expect { try configuration(size: size, quantizer: quantizer, loss: loss) } throws: {
            "\($0)".contains(message)
        }
    }

    @Test func `prompts are for models that read them`() throws {
        var configuration = try configuration()
        configuration.data.prompts = "prompts.safetensors"
        #expect { try configuration.validate() } throws: {
            "\($0)".contains("data.prompts must be left out: an autoencoder reads no prompts")
        }
    }

    @Test func `codes that are hardly used take the place of data, and a resumed run agrees`() throws {
        try withTemporaryFolder { folder in
            let loss = "{restart: {every: 2, share: 0.9}}"
            func codebook(_ name: String, _ file: String = "checkpoints/step-00000002.safetensors") throws
                -> [Float]
            {
                let state = try TrainingState(path: joinPath(folder, "\(name)/\(file)"))
                return try #require(state.model["quantize.embedding.weight"]).scalars
            }
            try train(configuration(steps: 2, loss: loss), folder + "/on")
            try train(configuration(steps: 2, loss: "{}"), folder + "/off")
            let (on, off) = (try codebook("on"), try codebook("off"))
            let moved = (0..<16).filter { on[$0 * 4..<$0 * 4 + 4] != off[$0 * 4..<$0 * 4 + 4] }
            #expect(moved.count >= 2)
            // Fresh codes lie within 1/16 of zero, latents do not.
            #expect(moved.contains { code in on[code * 4..<code * 4 + 4].contains { abs($0) > 0.1 } })
            try train(configuration(steps: 4, loss: loss), folder + "/whole")
            try train(configuration(steps: 4, loss: loss), folder + "/on", resume: true)
            let last = "checkpoints/step-00000004.safetensors"
            #expect(try codebook("on", last) == codebook("whole", last))
        }
    }

    @Test func `weights of the perceptual loss that are not there stop the run before it begins`() throws {
        try withTemporaryFolder { folder in
            let wanted = try configuration(
                size: 32, quantizer: "pyramid: {grids: [16]}",
                loss: "{perceptual: {trunk: '\(folder)/vgg16.pth', heads: '\(folder)/vgg.pth'}}")
            #expect { try train(wanted, joinPath(folder, "run")) } throws: { "\($0)".contains("vgg16.pth") }
            #expect(!fileExists(joinPath(folder, "run/config.yaml")))
        }
    }

    @Test func `empty bands are warned of`() throws {
        let literal = try configuration(
            quantizer: "pyramid: {grids: [1, 2, 3, 4], bands: radialTokens, sizing: spectral}", loss: "{}")
        let warnings = try AutoencoderRun.warnings(of: literal)
        #expect(warnings.count == 1 && warnings[0].contains("are empty"), "\(warnings)")
        #expect(try AutoencoderRun.warnings(of: configuration()).isEmpty)
    }
}
