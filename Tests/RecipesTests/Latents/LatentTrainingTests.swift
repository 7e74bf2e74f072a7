import Archives
import Checkpoints
import Images
import Layers
import Recipes
import TestSupport
import Tensors
import Testing
import Training

/// From images to latents, a model of them, and pictures again.
@Suite struct LatentTrainingTests {
    private static let lina =
        "kind: lina, inputChannels: 2, height: 4, width: 8, patchSize: 2, conditionHeight: 1, conditionWidth: 2, "
        + "hiddenSize: 8, heads: 2, conditionDepth: 1, depth: 2, headDepth: 1, headSize: 8, masking: {repeats: 2}"
    private static let dico =
        "kind: dico, inputChannels: 2, hiddenSize: 4, depth: [1, 1, 1, 1, 1], patchSize: 1, learnSigma: false"

    /// Images, an autoencoder, and the images' latents.
    private func prepare(_ folder: String, _ change: (inout EncodingSettings) -> Void = { _ in }) throws
        -> String
    {
        let autoencoder = try TinyAutoencoder.checkpoint(in: folder)
        var settings = EncodingSettings()
        (settings.size, settings.partSize) = (ImageSize(width: 16, height: 8), 3)
        (settings.kept, settings.mirrored) = (.moments, true)
        change(&settings)
        let encoding = try LatentEncoding(
            DatasetSpecification(path: TinyAutoencoder.images(8, in: folder)).open(),
            autoencoder: LoadedKLAutoencoder(path: autoencoder), settings: settings,
            folder: joinPath(folder, "latents"))
        #expect(try encoding.run(until: { false }) { _ in })
        return autoencoder
    }

    private func plan(_ model: String, _ folder: String, _ settings: [String] = []) throws -> TrainingPlan {
        let yaml = """
            {model: {\(model), classCount: 2},
            data: {kind: latents, path: '\(joinPath(folder, "latents"))', size: 8x4, channels: 2}, objective: flow,
            batchSize: 4, steps: 4, optimizer: {average: {decay: 0.5}}, checkpoints: {every: 2},
            samples: {every: 2, count: 2, sampler: {steps: 2, guidance: {scale: 2}}},
            log: {every: 1, tensorBoard: false}}
            """
        let node = try SettingsNode(yaml: yaml, name: "latents", hasLines: false)
            .applying(settings.map(SettingsOverride.init(parsing:)))
        return try TrainingPlan(TrainingConfiguration(node), origin: "latents")
    }

    private func train(_ plan: TrainingPlan, _ folder: String, resume: Bool = false) throws {
        let run = try TrainingRun(plan, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
    }

    private func generate(_ run: String, decoder: String?, seeds: [UInt64] = [0, 1]) throws -> GenerationPlan
    {
        let recipe = SamplingRecipe(
            decoder: decoder,
            sampler: try SamplerSettings(json: "{steps: 2, guidance: {scale: 2}}", name: "sampler"))
        return try GenerationPlan(model: LoadedModel(path: run), recipe: recipe, seeds: seeds)
    }

    @Test(arguments: [
        (lina, []), (dico, []),
        (
            lina + ", head: diffusion",
            ["objective={kind: ddpm, betas: cosine}", "samples.sampler.solver=ddpm"]
        ),
    ])
    func `a model of latents trains, goes on after a stop, and draws pictures`(
        _ model: String, _ settings: [String]
    )
        throws
    {
        try withTemporaryFolder { folder in
            let autoencoder = try prepare(folder)
            let settings = settings + ["samples.decoder='\(autoencoder)'"]
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            try train(plan(model, folder, settings), whole)
            try train(plan(model, folder, settings + ["steps=2"]), broken)
            try train(plan(model, folder, settings), broken, resume: true)
            for file in ["model.safetensors", "samples/step-00000004.png"] {
                #expect(try bytes(of: joinPath(whole, file)) == bytes(of: joinPath(broken, file)), "\(file)")
            }
            let plain = try generate(whole, decoder: nil)
            #expect(!plain.makesImages && plain.channels == 2)
            let plan = try generate(whole, decoder: autoencoder)
            #expect(
                plan.makesImages && plan.channels == 3 && plan.sampleSize == ImageSize(width: 16, height: 8))
            let images = plan.samples()
            #expect(
                images.count == 2 && images.allSatisfy { $0.count == 16 * 8 * 3 && $0.allSatisfy(\.isFinite) }
            )
            // An image is its own latents' alone, whatever is drawn beside it.
            #expect(try generate(whole, decoder: autoencoder, seeds: [1]).samples()[0] == images[1])
            let latents = Tensor(shape: [2, 4, 8, 2], scalars: plain.samples().flatMap(\.self))
            let decoded = try LoadedKLAutoencoder(path: autoencoder).images(of: latents)
            #expect(decoded.scalars == images.flatMap(\.self))
        }
    }

    @Test func `a decoder that is not the model's is refused`() throws {
        try withTemporaryFolder { folder in
            let autoencoder = try prepare(folder)
            let run = joinPath(folder, "run")
            try train(plan(Self.dico, folder, ["steps=1", "samples.every=0"]), run)
            let recipe = try generate(run, decoder: autoencoder).recipe
            #expect(recipe.decoderDigest?.count == 64)
            let other = try TinyAutoencoder.checkpoint(in: folder, overrides: ["model.scale=0.4"])
            #expect { try generate(run, decoder: other) } throws: {
                "\($0)".contains("its scale is 0.4, found 0.5; give the one the latents were made with")
            }
            #expect { try generate(run, decoder: joinPath(run, "model.safetensors")) } throws: {
                "\($0)".contains("is no autoencoder of images")
            }
            var changed = recipe
            changed.decoderDigest = String(repeating: "0", count: 64)
            #expect {
                try GenerationPlan(model: LoadedModel(path: run), recipe: changed, seeds: [0])
            } throws: {
                "\($0)".contains("is not the decoder that was used")
            }
            #expect {
                try GenerationPlan(
                    model: TinyModel.make(), recipe: SamplingRecipe(decoder: autoencoder), seeds: [0])
            } throws: { "\($0)".contains("decodes latents of 2 channels, tiny makes 3") }
        }
    }

    @Test(arguments: [
        (["data.size=4"], "data.size must be 8x4, as the latents in"),
        (["data.channels=4", "model.inputChannels=4"], "data.channels must be 2, as the latents in"),
        (["model.inputChannels=4"], "model.inputChannels must be 2, as data.channels is, found 4"),
        (
            ["data.kind=folder"],
            "data.channels must be 1 (grey) or 3 (colour), found 2; latents need kind: latents"
        ),
        (["data.shift=1"], "data.kind must be another than latents for fit, dihedral and shift"),
        (["evaluate.every=2"], "evaluate.every must be 0 with latents"),
        (["model.classCount=3"], "model.classCount must be 2"),
        (["data.prompts=x.safetensors"], "data.prompts must be left out: the model reads no prompts"),
        (["data.holdout=5"], "more than half"),
    ])
    func `a configuration that does not fit the latents is refused`(_ settings: [String], _ message: String)
        throws
    {
        try withTemporaryFolder { folder in
            _ = try prepare(folder)
            #expect { try plan(Self.dico, folder, settings) } throws: { error in
                let isNamed = "\(error)".contains(message)
                if !isNamed { Issue.record("\(error)") }
                return isNamed
            }
        }
    }

    @Test func `flipping needs the mirrored latents, and holding out keeps samples aside`() throws {
        try withTemporaryFolder { folder in
            _ = try prepare(folder) { $0.mirrored = false }
            #expect { try plan(Self.dico, folder) } throws: {
                "\($0)".contains("data.flip must be false:")
                    && "\($0)".contains("encode with --mirrored to flip")
            }
            let held = try plan(Self.dico, folder, ["data.flip=false", "data.holdout=3"])
            #expect(held.dataset.count == 5 && held.heldOutCount == 3)
        }
    }
}
