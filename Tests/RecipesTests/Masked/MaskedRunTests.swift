import Archives
import Checkpoints
import Layers
import Recipes
import Tensors
import TestSupport
import Testing
import Training

/// Whole training runs of LINA in folders.
@Suite struct MaskedRunTests {
    private func plan(_ settings: [String] = []) throws -> TrainingPlan {
        let yaml = """
            {model: {\(TinyLINA.network), classCount: 10, masking: {repeats: 2}},
            data: {kind: shapes, count: 24, size: 12x8}, objective: flow, batchSize: 4, steps: 4,
            optimizer: {accumulation: 2, weightDecay: 0.1, average: {decay: 0.5}}, checkpoints: {every: 2},
            samples: {every: 2, count: 2, sampler: {steps: 2, guidance: {scale: 2}, masked: {steps: 3}}},
            log: {every: 1, tensorBoard: false}}
            """
        let node = try SettingsNode(yaml: yaml, name: "masked", hasLines: false)
            .applying(settings.map(SettingsOverride.init(parsing:)))
        return try TrainingPlan(TrainingConfiguration(node), origin: "masked")
    }

    private func train(_ plan: TrainingPlan, _ folder: String, resume: Bool = false) throws {
        let run = try TrainingRun(plan, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
    }

    @Test(arguments: [
        [],
        ["model.head=diffusion", "objective={kind: ddpm, betas: cosine}", "samples.sampler.solver=ddpm"],
    ])
    func `a run stopped and resumed ends with the bytes of one left alone`(_ settings: [String]) throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            try train(plan(settings), whole)
            try train(plan(settings + ["steps=2"]), broken)
            try train(plan(settings), broken, resume: true)
            for file in [
                "model.safetensors", "checkpoints/step-00000004.safetensors", "samples/step-00000004.png",
            ] {
                #expect(try bytes(of: joinPath(whole, file)) == bytes(of: joinPath(broken, file)), "\(file)")
            }
        }
    }

    @Test func `what the published training leaves alone stays, and is part of every checkpoint`() throws {
        try withTemporaryFolder { folder in
            try train(plan(), folder)
            let model = try LoadedModel(path: folder)
            #expect(try Inspection(path: folder, size: nil).parameterCount == model.parameterCount)
            let trained = try Checkpoint(path: joinPath(folder, "model.safetensors")).tensors
            let store = ParameterStore(.initialized(seed: 0), isTracked: false)
            _ = model.configuration.model.makeModel(store.scope)
            for tensor in trained {
                let isFrozen = ["label_embed.norm.", "video_pos_embed.", "video_encoder.patch_embed."]
                    .contains(where: tensor.name.hasPrefix)
                #expect((store[tensor.name]?.scalars == tensor.floats) == isFrozen, "\(tensor.name)")
            }
        }
    }

    @Test(arguments: [
        (["model.height=16"], "data.size must be 12x16 for this model, found 12x8"),
        (["model.patchSize=3"], "model.height must be a positive multiple of the patch size 3, found 8"),
        (["model.heads=3"], "model.hiddenSize must be a positive multiple of 4 and of the 3 heads, found 8"),
        (["model.depth=3"], "model.depth must be positive and even, found 3"),
        (["model.inputChannels=4"], "model.inputChannels must be 3, as data.channels is, found 4"),
        (["model.classCount=9"], "model.classCount must be 10"),
        (
            ["model.classCount=0", "model.textSize=4"],
            "data.prompts must be given, because the model reads prompts"
        ),
        (["model.mixer=softmx"], "\"softmx\"; did you mean \"softmax\"?"),
        (["model.masking.low=1.5"], "model.masking.low must be in 0…1, found 1.5"),
        (["model.masking.repeats=0"], "model.masking.repeats must be at least 1, found 0"),
        (["model.hedDepth=3"], "model.hedDepth is no setting; did you mean \"headDepth\"?"),
        (["objective=edm"], "objective must be flow for a flow head, found edm"),
        (["objective={kind: flow, sampling: uniform}"], "objective must be flow with the published times"),
        (["model.head=diffusion"], "objective must be ddpm for a diffusion head, found flow"),
        (
            ["model.head=diffusion", "objective={kind: ddpm, variance: fixedSmall}"],
            "objective.variance must be learned for a diffusion head"
        ),
        (
            ["samples.sampler.clip=clamp"],
            "samples.sampler.clip must be none when tokens are drawn one by one"
        ),
        (
            ["evaluate.every=2", "evaluate.sampler.bands.until=1"],
            "evaluate.sampler.bands must be left out: only next-frequency models draw bands"
        ),
    ])
    func `networks, objectives and samplers that do not go together are refused`(
        _ settings: [String], _ message: String
    ) {
        #expect { try plan(settings) } throws: { "\($0)".contains(message) }
    }
}
