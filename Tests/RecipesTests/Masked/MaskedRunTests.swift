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
    private func plan(
        model: String = "", objective: String = "flow", sampler: String = "", steps: Int = 4,
        more: String = ""
    ) throws -> TrainingPlan {
        let yaml = """
            {model: {\(TinyLINA.network), classCount: 10, masking: {repeats: 2}\(model)},
            data: {kind: shapes, count: 24, size: 12x8}, objective: \(objective), batchSize: 4, steps: \(steps),
            optimizer: {accumulation: 2, weightDecay: 0.1, average: {decay: 0.5}}, checkpoints: {every: 2},
            samples: {every: 2, count: 2, sampler: {steps: 2, guidance: {scale: 2}, masked: {steps: 3}\(sampler)}},
            log: {every: 1, tensorBoard: false}\(more)}
            """
        return try TrainingPlan(
            TrainingConfiguration(SettingsNode(yaml: yaml, name: "masked", hasLines: false)), origin: "masked"
        )
    }

    private func train(_ plan: TrainingPlan, _ folder: String, resume: Bool = false) throws {
        let run = try TrainingRun(plan, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
    }

    @Test(arguments: [
        ("", "flow", ""), (", head: diffusion", "{kind: ddpm, betas: cosine}", ", solver: ddpm"),
    ])
    func `a run stopped and resumed ends with the bytes of one left alone`(
        _ model: String, _ objective: String, _ sampler: String
    ) throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            try train(plan(model: model, objective: objective, sampler: sampler), whole)
            try train(plan(model: model, objective: objective, sampler: sampler, steps: 2), broken)
            try train(plan(model: model, objective: objective, sampler: sampler), broken, resume: true)
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
        (", height: 16", "flow", "", "data.size must be 12x16 for this model, found 12x8"),
        (
            ", patchSize: 3", "flow", "",
            "model.height must be a positive multiple of the patch size 3, found 8"
        ),
        (
            ", heads: 3", "flow", "",
            "model.hiddenSize must be a positive multiple of 4 and of the 3 heads, found 8"
        ),
        (", depth: 3", "flow", "", "model.depth must be positive and even, found 3"),
        (", inputChannels: 4", "flow", "", "model.inputChannels must be 3, as data.channels is, found 4"),
        (", classCount: 9", "flow", "", "model.classCount must be 10"),
        (", classCount: 0, textSize: 4", "flow", "", "model.textSize must be 0: prompts are not trained on"),
        (", mixer: softmx", "flow", "", "\"softmx\"; did you mean \"softmax\"?"),
        (", masking: {low: 1.5}", "flow", "", "model.masking.low must be in 0…1, found 1.5"),
        (", masking: {repeats: 0}", "flow", "", "model.masking.repeats must be at least 1, found 0"),
        (", hedDepth: 3", "flow", "", "model.hedDepth is no setting; did you mean \"headDepth\"?"),
        ("", "edm", "", "objective must be flow for a flow head, found edm"),
        ("", "{kind: flow, sampling: uniform}", "", "objective must be flow with the published times"),
        (", head: diffusion", "flow", "", "objective must be ddpm for a diffusion head, found flow"),
        (
            ", head: diffusion", "{kind: ddpm, variance: fixedSmall}", "",
            "objective.variance must be learned for a diffusion head"
        ),
        ("", "flow", ", clip: clamp", "samples.sampler.clip must be none when tokens are drawn one by one"),
    ])
    func `networks, objectives and samplers that do not go together are refused`(
        _ model: String, _ objective: String, _ sampler: String, _ message: String
    ) {
        #expect { try plan(model: model, objective: objective, sampler: sampler) } throws: {
            "\($0)".contains(message)
        }
    }
}
