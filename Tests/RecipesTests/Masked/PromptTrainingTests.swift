import Archives
import Checkpoints
import Layers
import Recipes
import TestSupport
import Tensors
import Testing
import Training

/// Training of models that are told what to draw by embedded prompts.
@Suite struct PromptTrainingTests {
    private func plan(_ folder: String, _ prompts: [String: [Int]], _ settings: [String] = []) throws
        -> TrainingPlan
    {
        let path = joinPath(folder, "prompts.safetensors")
        let tensors = prompts.map { name, shape in
            OutgoingTensor(name: name, RandomStream(seed: 3).stream(named: name).normals(Shape(shape)))
        }
        try SafetensorsFile.write(tensors, to: path)
        let images = joinPath(folder, "images")
        if !fileExists(images) { _ = try TinyAutoencoder.images(6, in: folder) }
        let yaml = """
            {model: {\(TinyLINA.network), classCount: 0, textSize: 4, textLength: 3, masking: {repeats: 2}},
            data: {path: '\(images)', size: 12x8, prompts: '\(path)'}, objective: flow, batchSize: 4, steps: 4,
            optimizer: {average: {decay: 0.5}}, checkpoints: {every: 2},
            samples: {every: 2, count: 2, sampler: {steps: 2, guidance: {scale: 2}, masked: {steps: 3}}},
            log: {every: 1, tensorBoard: false}}
            """
        let node = try SettingsNode(yaml: yaml, name: "prompts", hasLines: false)
            .applying(settings.map(SettingsOverride.init(parsing:)))
        return try TrainingPlan(TrainingConfiguration(node), origin: "prompts")
    }

    private func train(_ plan: TrainingPlan, _ folder: String, resume: Bool = false) throws -> [Float] {
        let run = try TrainingRun(plan, folder: RunFolder(path: folder), resume: resume) { _ in }
        #expect(try run.run { false } == .finished)
        let tensors = try Checkpoint(path: joinPath(folder, "model.safetensors")).tensors
        return try #require(tensors.first { $0.name == "text_embed.proj.weight" }).floats
    }

    @Test func `a run reads a prompt for every class or image, resumes exactly, and draws by its prompts`()
        throws
    {
        try withTemporaryFolder { folder in
            let classes = ["left": [2, 4], "right": [1, 3, 4]]
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            let weights = try train(plan(folder, classes), whole)
            _ = try train(plan(folder, classes, ["steps=2"]), broken)
            #expect(try train(plan(folder, classes), broken, resume: true) == weights)
            #expect(fileExists(joinPath(whole, "samples/step-00000004.png")))
            let recipe = try SamplingRecipe(
                json: "{steps: 2, masked: {steps: 3, prompts: '\(joinPath(folder, "prompts.safetensors"))'}}",
                name: "recipe")
            let drawn = try GenerationPlan(model: LoadedModel(path: whole), recipe: recipe, seeds: [0, 1])
            #expect(drawn.items.map(\.className) == ["left", "right"])
            // A prompt of an image's own goes before its class's, and teaches something else.
            let own = try train(plan(folder, classes.merging(["0": [2, 4]]) { $1 }), joinPath(folder, "own"))
            #expect(own != weights && own.allSatisfy(\.isFinite))
        }
    }

    @Test func `training reads the prompts and not the classes`() throws {
        try withTemporaryFolder { folder in
            let same = try train(plan(folder, ["left": [2, 4], "right": [2, 4]]), joinPath(folder, "a"))
            let other = try train(plan(folder, ["left": [1, 4], "right": [2, 4]]), joinPath(folder, "b"))
            #expect(same != other)
        }
    }

    @Test(
        arguments: [
            (
                ["left": [2, 4]], [],
                "has no prompt named \"1\" or \"right\"; embed one for every image or every class"
            ),
            (["left": [2, 5], "right": [2, 4]], [], "left is [2, 5], the model reads prompts [tokens, 4]"),
            (
                ["left": [2, 4]], ["data.prompts=null"],
                "data.prompts must be given, because the model reads prompts"
            ),
            (["left": [2, 4]], ["model.textSize=0", "model.classCount=2"], "data.prompts must be left out"),
            (
                ["left": [2, 4]], ["model.textSize=4", "model.classCount=2"],
                "model.classCount must be 0 with text"
            ),
        ] as [([String: [Int]], [String], String)])
    func `prompts that do not fit the data or the model are refused`(
        _ prompts: [String: [Int]], _ settings: [String], _ message: String
    ) throws {
        try withTemporaryFolder { folder in
            #expect { try plan(folder, prompts, settings) } throws: { error in
                let isNamed = "\(error)".contains(message)
                if !isNamed { Issue.record("\(error)") }
                return isNamed
            }
        }
    }
}
