import Archives
import Checkpoints
import Images
import Recipes
import Tensors
import TestSupport
import Testing

@Suite struct ModelQuantizationTests {
    private let recipe = "{solver: heun, steps: 3, guidance: {scale: 2}}"

    /// A checkpoint of a model wide enough for integers.
    private func generator(_ folder: String, hiddenSize: Int = 32) throws -> String {
        let path = joinPath(folder, "model.safetensors")
        let model = try TinyModel.make(hiddenSize: hiddenSize)
        let weights = TinyModel.weights(model.configuration).sorted { $0.key < $1.key }
        try Checkpoint.write(
            weights.map { OutgoingTensor(StoredTensor(name: $0.key, $0.value)) },
            config: model.configuration.node.json, to: path)
        return path
    }

    private func samples(_ path: String, batch: Int = 16) throws -> [[Float]] {
        let recipe = try SamplingRecipe(json: recipe, name: "recipe")
        return try GenerationPlan(model: LoadedModel(path: path), recipe: recipe, seeds: [4, 5, 6])
            .samples(batch: batch)
    }

    private func difference(_ a: [[Float]], _ b: [[Float]]) -> Float {
        let (a, b) = (Array(a.joined()), Array(b.joined()))
        let error = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (error / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    @Test func `a quantised generator is smaller, draws nearly the same, and in any batch the same bits`()
        throws
    {
        try withTemporaryFolder { folder in
            let (path, target) = (try generator(folder), joinPath(folder, "int8.safetensors"))
            let result = try ModelQuantization(
                generating: path, recipe: SamplingRecipe(json: recipe, name: "recipe"), count: 4
            ) { _, _ in true }
            try result.write(to: target, as: .float32)
            #expect(result.layers.contains { $0.hasSuffix("conv4.weight") })
            #expect(!result.layers.contains { $0.contains("adaLN") || $0.contains("conv2") })
            #expect(try bytes(of: target).count < bytes(of: path).count)
            let (drawn, exact) = (try samples(target), try samples(path))
            #expect(try LoadedModel(path: target).integerLayerCount == result.layers.count)
            #expect(difference(drawn, exact) < 0.1)
            if ProductRole.hasIntegerProducts { #expect(drawn != exact) }
            #expect(try samples(target, batch: 1) == drawn)
            let error = #expect(throws: QuantizationError.self) {
                try ModelQuantization(
                    generating: target, recipe: SamplingRecipe(json: recipe, name: "recipe"), count: 1
                ) { _, _ in true }
            }
            #expect(error?.description == "\(target): is quantised already; give the model it was made of")
        }
    }

    @Test func `a model of narrow layers is refused, and a stop is one`() throws {
        try withTemporaryFolder { folder in
            let settings = try SamplingRecipe(json: recipe, name: "recipe")
            let narrow = try generator(folder, hiddenSize: 4)
            let error = #expect(throws: QuantizationError.self) {
                try ModelQuantization(generating: narrow, recipe: settings, count: 1) { _, _ in true }
            }
            #expect(error?.description == "\(narrow): has no layer wide enough for integers to pay")
            #expect(throws: CancellationError.self) {
                try ModelQuantization(generating: narrow, recipe: settings, count: 1) { _, _ in false }
            }
        }
    }

    @Test(.enabled(if: TestData.data.map { fileExists(joinPath($0, "denoise/Train400")) } ?? false))
    func `a published denoiser keeps its quality within five hundredths of a decibel`() throws {
        try withTemporaryFolder { folder in
            let data = joinPath(try #require(TestData.data), "denoise")
            let model = joinPath(data, "models/dncnn_gray_sigma25.safetensors")
            let target = joinPath(folder, "int8.safetensors")
            let names = try folderContents(joinPath(data, "Train400")).sorted().prefix(24)
            let result = try ModelQuantization(
                denoising: model, images: names.map { joinPath(data, "Train400/\($0)") }, sigmas: nil
            ) { _ in true }
            try result.write(to: target, as: .float32)
            #expect(result.layers.count == 15)
            #expect(try bytes(of: target).count < bytes(of: model).count * 3 / 10)
            func score(_ path: String) throws -> Double {
                let plan = try DenoisingPlan(
                    inputs: [joinPath(data, "Set12/01.png"), joinPath(data, "Set12/07.png")],
                    options: DenoisingPlan.Options(out: nil))
                var run = DenoisingRun(plan, try ImageDenoiser(DenoisingModel(path: path), sigma: nil))
                run.addedSigma = 25
                let entries = run.run { _ in true }.entries
                return entries.compactMap { $0.after?.psnr }.reduce(0, +) / Double(entries.count)
            }
            #expect(try abs(score(target) - score(model)) < 0.05)
        }
    }
}
