import Recipes
import Tensors
import Testing

/// Samples whose products are rounded to bfloat16.
@Suite(.enabled(if: ProductPrecision.bfloat16.isAvailable)) struct PrecisionTests {
    private func samples(_ precision: ProductPrecision, batch: Int = 16, threads: Int = 1) throws -> [[Float]]
    {
        let count = ComputeThreads.count
        defer { ComputeThreads.setCount(count) }
        ComputeThreads.setCount(threads)
        let model = try TinyModel.make(hiddenSize: 16, precision: precision)
        let recipe = try SamplingRecipe(json: "{solver: heun, steps: 3}", name: "recipe")
        let plan = try GenerationPlan(model: model, recipe: recipe, seeds: [1, 2, 3])
        return plan.samples(batch: batch)
    }

    @Test func `an image does not depend on its batch or the number of threads`() throws {
        let whole = try samples(.bfloat16)
        #expect(whole.count == 3)
        #expect(try samples(.bfloat16, batch: 1) == whole)
        #expect(try samples(.bfloat16, batch: 2, threads: 2) == whole)
    }

    @Test func `images are nearly those of float32`() throws {
        let (half, single) = (try samples(.bfloat16), try samples(.float32))
        #expect(half != single, "nothing was rounded")
        let differences = zip(half.joined(), single.joined()).map { abs($0 - $1) }
        let size = single.joined().reduce(0) { $0 + abs($1) } / Float(differences.count)
        #expect(differences.reduce(0, +) / Float(differences.count) < 0.02 * size)
    }

    @Test func `a recipe keeps its precision`() throws {
        let recipe = try SamplingRecipe(json: "{precision: bfloat16}", name: "recipe")
        #expect(recipe.precision == .bfloat16)
        #expect(try SamplingRecipe(json: recipe.node.json.text, name: "again") == recipe)
        #expect(throws: SettingsError.self) { try SamplingRecipe(json: "{precision: half}", name: "recipe") }
    }
}
