import Archives
import Checkpoints
import Images
import Recipes
import Tensors
import TestSupport
import Testing

@Suite struct MaskedGenerationTests {
    static let guided = "{steps: 3, guidance: {scale: 2}, masked: {steps: 4}}"
    static let ancestral =
        "{solver: ddpm, steps: 3, guidance: {scale: 2}, masked: {steps: 3, schedule: floored, ramp: known, temperature: 0.9}}"

    private func plan(_ recipe: String, _ model: LoadedModel? = nil, seeds: [UInt64] = [0, 1, 2, 3]) throws
        -> GenerationPlan
    {
        try GenerationPlan(
            model: model ?? TinyLINA.make(), recipe: SamplingRecipe(json: recipe, name: "recipe"),
            seeds: seeds)
    }

    private static let diffusionModel = ", classCount: 3, head: diffusion"

    @Test(arguments: [
        ("flow", ", classCount: 3", guided), ("{kind: ddpm, betas: cosine}", diffusionModel, ancestral),
        ("flow", ", classCount: 3, mixer: softmax", guided),
    ])
    func `an image depends on its own seed alone`(_ objective: String, _ model: String, _ recipe: String)
        throws
    {
        let model = try TinyLINA.make(objective: objective, model: model)
        let alone = try plan(recipe, model, seeds: [7]).samples()[0]
        #expect(alone.count == 8 * 12 * 3 && alone.allSatisfy(\.isFinite))
        #expect(try plan(recipe, model, seeds: [1, 7, 3]).samples()[1] == alone)
        #expect(try plan(recipe, model, seeds: [1, 7, 3]).samples(batch: 2)[1] == alone)
        #expect(try plan(recipe, model, seeds: [10]).samples()[0] != alone)
    }

    @Test func `tokens once drawn stay, and all are drawn at the end`() throws {
        let plan = try plan(Self.guided, seeds: [0, 1])
        var states: [Int: [UInt8]] = [:]
        Generator(plan).run { event in
            if case .step(let step) = event { states[step.index] = step.previews.flatMap(\.bytes) }
            return true
        }
        #expect(states.count == plan.stepCount)
        for step in 1..<plan.stepCount {
            let (before, after) = (try #require(states[step - 1]), try #require(states[step]))
            // Unknown tokens are grey; whatever is no longer grey is the same in the next step.
            let kept = zip(before, after).count { $0 == $1 || (127...128).contains($0) }
            #expect(kept == after.count)
            #expect(before != after)
        }
    }

    @Test func `settings of the sampler change the image`() throws {
        let base = try plan(Self.guided).samples()[0]
        for other in [
            "{steps: 3, guidance: {scale: 3}, masked: {steps: 4}}", "{steps: 3, masked: {steps: 4}}",
            "{steps: 4, guidance: {scale: 2}, masked: {steps: 4}}",
            "{steps: 3, guidance: {scale: 2}, masked: {steps: 2}}",
            "{steps: 3, guidance: {scale: 2}, masked: {steps: 4, ramp: constant}}",
            "{steps: 3, guidance: {scale: 2}, masked: {steps: 4, firstGuidance: 2.5}}",
            "{steps: 3, guidance: {scale: 2}, masked: {steps: 4, temperature: 0.5}}",
            "{steps: 3, guidance: {scale: 2}, masked: {steps: 4, schedule: floored}}",
            "{steps: 3, solver: heun, guidance: {scale: 2}, masked: {steps: 4}}",
            "{steps: 3, schedule: {kind: flow, shift: 2}, guidance: {scale: 2}, masked: {steps: 4}}",
        ] {
            #expect(try plan(other).samples()[0] != base, "\(other)")
        }
        let same = "{steps: 3, solver: euler, guidance: {scale: 2}, masked: {steps: 4, firstGuidance: 1}}"
        #expect(try plan(same).samples()[0] == base)
    }

    @Test func `the plan says how tokens are drawn`() throws {
        let text = try plan(Self.guided).description
        for line in [
            "model       LINA", "tokens      6 in 3 steps, rounded cosine",
            "solver      ddim, 3 steps for each token", "ramp        linear from 1.0", "guidance    2.0",
        ] {
            #expect(text.contains(line), "\(line)")
        }
    }

    @Test(arguments: [
        ("{size: 8}", "lina: size must be 12x8 for this LINA, found 8"),
        (
            "{masked: {schedule: floored, steps: 7}}",
            "masked.steps must be at most the 6 tokens there are with schedule floored, found 7"
        ),
        ("{masked: {steps: 0}}", "masked.steps must be in 1…100000, found 0"),
        ("{masked: {temperature: -1}}", "masked.temperature must be at least 0"),
        ("{clip: clamp}", "clip must be none when tokens are drawn one by one"),
        ("{guidance: {scale: 2, rescale: 0.5}}", "guidance must be a scale alone"),
        ("{bands: {until: 1}}", "bands must be left out: only next-frequency models draw bands"),
        ("{solver: ddpm}", "solver must be another than ddpm for a continuous process"),
        ("{masked: {prompts: x.safetensors}}", "x.safetensors"),
        ("{masked: {stepz: 4}}", "masked.stepz is no setting; did you mean \"steps\"?"),
    ])
    func `what a masked model cannot do is said before anything is computed`(
        _ recipe: String, _ message: String
    ) {
        #expect { try plan(recipe) } throws: { "\($0)".contains(message) }
    }

    @Test func `a denoiser of whole images has no tokens to draw`() throws {
        let model = try TinyModel.make()
        #expect { try plan("{masked: {steps: 4}}", model) } throws: {
            "\($0)".contains("masked must be left out: only masked autoregressive models draw tokens")
        }
    }

    @Test func `without any key or query the normaliser vanishes and the image stays finite`() throws {
        // Queries and keys are all negative before the kernel, so that only ε is left of them.
        let model = try TinyLINA.make { $0.hasSuffix("attn.qkv.bias") ? -1000 : nil }
        #expect(try plan(Self.guided, model).samples().allSatisfy { $0.allSatisfy(\.isFinite) })
        // Gates of zero take away the rest.
        let gated = try TinyLINA.make { $0.hasSuffix("_scale") ? 0 : nil }
        #expect(try plan(Self.guided, gated).samples().allSatisfy { $0.allSatisfy(\.isFinite) })
        let exploding = try TinyLINA.make { $0.hasSuffix("_scale") ? 3e38 : nil }
        #expect(try plan(Self.guided, exploding).samples().allSatisfy { $0.allSatisfy(\.isFinite) })
    }
}

/// Prompts that come embedded.
@Suite struct PromptTests {
    static let model = ", classCount: 0, textSize: 4, textLength: 3"

    private func plan(_ folder: String, _ tensors: [String: [Int]], recipe: String = "") throws
        -> GenerationPlan
    {
        let path = joinPath(folder, "prompts.safetensors")
        let outgoing = tensors.map { name, shape in
            OutgoingTensor(name: name, RandomStream(seed: 3).stream(named: name).normals(Shape(shape)))
        }
        try SafetensorsFile.write(outgoing, to: path)
        let text = "{steps: 2, guidance: {scale: 2}, masked: {steps: 3, prompts: '\(path)'}\(recipe)}"
        return try GenerationPlan(
            model: TinyLINA.make(model: Self.model), recipe: SamplingRecipe(json: text, name: "recipe"),
            seeds: [0, 1, 2])
    }

    @Test func `a seed shows a prompt of the file, by name or in turn`() throws {
        try withTemporaryFolder { folder in
            let prompts = ["a fox": [2, 4], "a boat": [1, 5, 4]]
            let all = try plan(folder, prompts)
            #expect(all.items.map(\.className) == ["a boat", "a fox", "a boat"])
            #expect(all.recipe.sampler.masked?.promptsDigest?.count == 64)
            let fox = try plan(folder, prompts, recipe: ", classes: [a fox]")
            let none = try plan(folder, prompts, recipe: ", classes: [none]")
            #expect(none.items.map(\.label) == [nil, nil, nil])
            #expect(fox.samples()[1] == all.samples()[1])
            #expect(fox.samples()[0] != all.samples()[0])
            #expect(none.samples()[0] != all.samples()[0])
        }
    }

    @Test(arguments: [
        ([:], "", "holds no prompt; give each as a tensor [tokens, 4]"),
        (["a": [2, 5]], "", "a is [2, 5], the model reads prompts [tokens, 4]"),
        (["a": [0, 4]], "", "a is [0, 4], the model reads prompts [tokens, 4]"),
        (["a fox": [2, 4]], ", classes: [a fix]", "there is no prompt \"a fix\"; did you mean \"a fox\"?"),
        (["a": [1, 4]], ", classes: [elephant]", "there is no prompt \"elephant\"; known are a"),
    ])
    func `prompts that do not fit are refused`(
        _ tensors: [String: [Int]], _ recipe: String, _ message: String
    )
        throws
    {
        try withTemporaryFolder { folder in
            let make = { try plan(folder, tensors, recipe: recipe) }
            #expect { try make() } throws: { "\($0)".contains(message) }
        }
    }

    @Test func `a model that reads prompts asks for them, and one with classes has no use for them`() throws {
        let recipe = SamplingRecipe()
        #expect {
            try GenerationPlan(model: TinyLINA.make(model: Self.model), recipe: recipe, seeds: [0])
        } throws: {
            "\($0)".contains("is told what to draw by prompts; give them with --set masked.prompts=FILE")
        }
        try withTemporaryFolder { folder in
            let recipe = try plan(folder, ["a": [1, 4]]).recipe
            var other = recipe
            other.classes = nil
            #expect { try GenerationPlan(model: TinyLINA.make(), recipe: other, seeds: [0]) } throws: {
                "\($0)".contains("masked.prompts must be left out: the model has classes")
            }
            // Another file under the same name is not the one that an image was made with.
            try SafetensorsFile.write(
                [OutgoingTensor(name: "a", Tensor.zeros([1, 4]))], to: joinPath(folder, "prompts.safetensors")
            )
            #expect {
                try GenerationPlan(model: TinyLINA.make(model: Self.model), recipe: recipe, seeds: [0])
            } throws: { "\($0)".contains("is not the file of prompts that was used") }
        }
    }
}
