import Checkpoints
import Images
import Recipes
import Tensors
import TestSupport
import Testing

@Suite struct GenerationPlanTests {
    static func plan(_ recipe: String, model: LoadedModel? = nil, seeds: [UInt64] = [0, 1, 2, 3]) throws
        -> GenerationPlan
    {
        try GenerationPlan(
            model: model ?? TinyModel.make(), recipe: SamplingRecipe(json: recipe, name: "recipe"),
            seeds: seeds)
    }

    @Test func `a seed decides its class, whichever seeds stand beside it`() throws {
        #expect(try Self.plan("{}").items.map(\.className) == ["ant", "bee", "cat", "ant"])
        #expect(try Self.plan("{}", seeds: [4]).items.map(\.label) == [1])
        #expect(try Self.plan("{classes: [cat, none]}").items.map(\.label) == [2, nil, 2, nil])
        #expect(try Self.plan("{classes: ['1']}").items.map(\.className) == ["bee", "bee", "bee", "bee"])
    }

    @Test(arguments: [
        ("{classes: [cow]}", "tiny: has no class \"cow\"; known are ant, bee, cat"),
        ("{classes: [beee]}", "tiny: has no class \"beee\"; did you mean \"bee\"?"),
        ("{classes: ['3']}", "tiny: has no class \"3\"; known are ant, bee, cat"),
        ("{size: 10}", "tiny: size must have sides that are multiples of 4 for this DiCo, found 10"),
        ("{solver: ddpm}", "tiny: for this model solver must be another than ddpm for a continuous process"),
    ])
    func `what the model cannot do is said before anything is computed`(_ recipe: String, _ message: String) {
        #expect { try Self.plan(recipe) } throws: { "\($0)" == message }
    }

    @Test func `a model trained with labels only is not guided`() throws {
        let model = try TinyModel.make(model: ", classDropout: 0")
        #expect(throws: GenerationError.self) { try Self.plan("{guidance: {scale: 2}}", model: model) }
        #expect(throws: GenerationError.self) { try Self.plan("{classes: [none]}", model: model) }
        #expect(try Self.plan("{}", model: model).items.count == 4)
    }

    @Test func `the plan says everything that decides the images`() throws {
        let plan = try Self.plan("{solver: heun, steps: 3, guidance: {scale: 2}}")
        for line in [
            "checkpoint  tiny", "weights     sha256 0123", "images      4, 8×8, 3 channels",
            "seeds       0-3",
            "solver      heun, 3 steps", "guidance    2.0",
        ] {
            #expect(plan.description.contains(line + "\n"))
        }
        #expect(plan.json["recipe"]?["steps"]?.integer == 3)
    }

    @Test func `an image's texts bring its plan back`() throws {
        try withTemporaryFolder { folder in
            let plan = try Self.plan("{solver: heun, steps: 3, guidance: {scale: 2}}", seeds: [.max])
            var image = Image(width: 4, height: 4, color: [1, 2, 3])
            image.texts = plan.texts(for: plan.items[0])
            try image.write(to: folder + "/a.png")
            let texts = try SampleTexts(imageFile: folder + "/a.png")
            #expect(texts.seed == .max)
            #expect(texts.digest == "0123")
            var expected = plan.recipe
            expected.classes = [plan.items[0].className]
            #expect(texts.recipe == expected)
            #expect(
                try GenerationPlan(model: plan.model, recipe: texts.recipe, seeds: [texts.seed]).items
                    == plan.items)
        }
    }

    @Test func `rows beside an image change no bit of it`() throws {
        let recipe = "{solver: dpmSolverSDE, steps: 3, guidance: {scale: 2}}"
        func samples(_ seeds: [UInt64], batch: Int) throws -> [Float] {
            var result: [Float] = []
            Generator(try Self.plan(recipe, seeds: seeds), batchSize: batch).run { event in
                if case .finished(_, let tensor) = event { result += tensor.scalars }
                return true
            }
            return result
        }
        let alone = try samples([7], batch: 1)
        #expect(try Array(samples([1, 7, 3], batch: 3)[192..<384]) == alone)
        #expect(try Array(samples([1, 7, 3], batch: 2)[192..<384]) == alone)
    }

    @Test func `a run stops when its caller says so`() throws {
        var steps = 0
        let isComplete = Generator(try Self.plan("{steps: 9}"), batchSize: 2).run { _ in
            steps += 1
            return steps < 3
        }
        #expect(!isComplete)
        #expect(steps == 3)
    }
}
