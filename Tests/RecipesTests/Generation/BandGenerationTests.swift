import Archives
import Autoregression
import Checkpoints
import Images
import Layers
import Recipes
import Tensors
import TestSupport
import Testing

/// A next-frequency model of a few hundred numbers with healthy weights.
enum TinyBandModel {
    static let grids = [Grid(4), Grid(8), Grid(16)]
    private static func settings(width: Int) -> String {
        "{kind: nextFrequency, grids: [4, 8, 16], classCount: 3, "
            + "backbone: {hiddenSize: \(width), depth: [1, 0, 1, 0, 1]}, "
            + "normalization: {mean: [0.1, 0, -0.1], scales: [[0.5, 0.4, 0.3], \(band), \(band)], "
            + "contextScales: [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]}}"
    }
    private static let band = "[0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]"

    static func make(objective: String = "flow", width: Int = 4) throws -> LoadedModel {
        let text =
            "{model: \(settings(width: width)), objective: \(objective), size: 16, classes: [ant, bee, cat]}"
        let configuration = try CheckpointConfiguration(json: text, name: "bands")
        return try LoadedModel(
            path: "bands", configuration: configuration, weights: TinyModel.weights(configuration),
            digest: "4567")
    }

    static var pyramid: FrequencyPyramid { get throws { try FrequencyPyramid(.octaves(grids)) } }
}

@Suite struct BandGenerationTests {
    private func plan(
        _ recipe: String, seeds: [UInt64] = [0, 1, 2], objective: String = "flow", width: Int = 4
    ) throws -> GenerationPlan {
        try GenerationPlan(
            model: TinyBandModel.make(objective: objective, width: width),
            recipe: SamplingRecipe(json: recipe, name: "recipe"), seeds: seeds)
    }

    /// Finished images one after another, and previews by step.
    private func run(_ plan: GenerationPlan, batch: Int = 16) -> (samples: [[Float]], previews: [[Image]]) {
        var samples: [[Float]] = []
        var previews = [[Image]](repeating: [], count: plan.stepCount)
        Generator(plan, batchSize: batch).run { event in
            switch event {
            case .step(let step): previews[step.index] += step.previews
            case .finished(let items, let tensor):
                samples += (0..<items.count).map { tensor.samples($0..<$0 + 1).scalars }
            }
            return true
        }
        return (samples, previews)
    }

    private func picture(_ width: Int, _ height: Int, shade: Int = 0) -> Image {
        let samples = (0..<width * height * 3).map { UInt8(($0 * 37 + $0 / 3 % width * 11 + shade) % 256) }
        return Image(width: width, height: height, channels: 3, samples: samples)
    }

    @Test(arguments: [
        "{solver: heun, steps: 3, guidance: {scale: 2}}", "{solver: dpmSolverSDE, steps: 3}",
        "{solver: euler, bands: {steps: [1, 2, 3], contextNoise: 0}}",
    ]) func `rows beside an image change no bit of it`(_ recipe: String) throws {
        let alone = run(try plan(recipe, seeds: [7])).samples[0]
        #expect(run(try plan(recipe, seeds: [1, 7, 3])).samples[1] == alone)
        #expect(run(try plan(recipe, seeds: [3, 1, 7]), batch: 2).samples[2] == alone)
        #expect(run(try plan(recipe, seeds: [8])).samples[0] != alone)
    }

    @Test func `nor in a network whose layers take several rows together`() throws {
        let recipe = "{solver: heun, steps: 2, guidance: {scale: 2}}"
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        ComputeThreads.setCount(1)
        let alone = run(try plan(recipe, seeds: [7], width: 32)).samples[0]
        for count in 1...2 {
            ComputeThreads.setCount(count)
            let rows = run(try plan(recipe, seeds: Array(0..<11), width: 32), batch: 16)
            #expect(rows.samples[7] == alone)
        }
    }

    @Test(arguments: ["flow", "{kind: ddpm, variance: fixedLarge}", "{kind: velocity}", "{kind: edm}"])
    func `every objective draws every band`(_ objective: String) throws {
        let plan = try plan("{solver: ddim, steps: 4, guidance: {scale: 1.5}}", objective: objective)
        #expect(plan.stepCount == 3)
        #expect(plan.description.contains("solver      ddim, 4 steps for each band\n"))
        #expect(plan.description.contains("bands       4×4, 8×8, 16×16\n"))
        let result = run(plan)
        #expect(result.samples.allSatisfy { $0.allSatisfy { $0.isFinite } })
        #expect(result.previews.map(\.count) == [3, 3, 3])
    }

    @Test func `drawing up to a band gives what the whole run showed at that band`() throws {
        let whole = run(try plan("{steps: 3}"))
        let part = run(try plan("{steps: 3, bands: {until: 2}}"))
        #expect(part.previews.count == 2)
        #expect(part.previews[1] == whole.previews[1])
        #expect(part.samples != whole.samples)
    }

    @Test(arguments: [1, 2]) func `the low bands of a given image are kept, the others drawn by seed`(
        _ keep: Int
    )
        throws
    {
        try withTemporaryFolder { folder in
            let path = folder + "/given.png"
            let image = picture(16, 16)
            try image.write(to: path)
            let plan = try plan("{steps: 3, bands: {from: '\(path)', keep: \(keep)}}")
            let pyramid = try TinyBandModel.pyramid
            let given = Tensor([image])
            let low = pyramid.down(given, to: keep - 1).scalars
            let samples = run(plan).samples
            for sample in samples {
                let made = Tensor(shape: [1, 16, 16, 3], scalars: sample)
                let found = pyramid.down(made, to: keep - 1).scalars
                #expect(zip(found, low).allSatisfy { abs($0 - $1) < 1e-5 })
                let above = pyramid.detail(made, level: keep).scalars
                let before = pyramid.detail(given, level: keep).scalars
                #expect(zip(above, before).contains { abs($0 - $1) > 0.01 })
            }
            #expect(Set(samples).count == 3)
            #expect(plan.description.contains("kept        \(keep) of \(path)\n"))
        }
    }

    @Test func `an image of another size is scaled and cropped, and the plan says so`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/photo.png"
            try picture(40, 24).write(to: path)
            let plan = try plan("{steps: 2, bands: {from: '\(path)', keep: 1}}")
            #expect(
                plan.description.contains("1 of \(path) (40×24, scaled and cropped to 16×16)"),
                "\(plan.description)")
            #expect(run(plan).samples[0].allSatisfy { $0.isFinite })
        }
    }

    @Test func `an image's texts bring its bands back, and another file in place of the kept one is refused`()
        throws
    {
        try withTemporaryFolder { folder in
            let path = folder + "/given.png"
            try picture(16, 16).write(to: path)
            let plan = try plan("{steps: 2, bands: {from: '\(path)', keep: 2, until: 3}}", seeds: [5])
            var image = Image(width: 4, height: 4, color: [1, 2, 3])
            image.texts = plan.texts(for: plan.items[0])
            try image.write(to: folder + "/a.png")
            let texts = try SampleTexts(imageFile: folder + "/a.png")
            let again = try GenerationPlan(model: plan.model, recipe: texts.recipe, seeds: [texts.seed])
            #expect(run(again).samples == run(plan).samples)
            try picture(16, 16, shade: 1).write(to: path)
            #expect {
                try GenerationPlan(model: plan.model, recipe: texts.recipe, seeds: [texts.seed])
            } throws: { "\($0)".contains("is not the image whose bands were kept") }
        }
    }

    @Test(arguments: [
        ("{bands: {until: 4}}", "bands.until must be in 1…3, found 4"),
        ("{bands: {until: 0}}", "bands.until must be at least 1, found 0"),
        ("{bands: {keep: 1}}", "bands.from must be given"),
        ("{bands: {from: a.png}}", "bands.keep must be given"),
        ("{bands: {from: a.png, keep: 1}}", "a.png: cannot read"),
        ("{bands: {steps: [1, 2]}}", "bands.steps must be 3 numbers, one for each level, found 2"),
        ("{bands: {steps: [1, 0, 2]}}", "bands.steps must be one number in 1…10000"),
        ("{bands: {contextNoise: 2}}", "bands.contextNoise must be from 0 to 1"),
        ("{bands: {guidance: rising}}", "ramp, constant"), ("{clip: clamp}", "clip must be none"),
        ("{guidance: {scale: 2, channels: 3}}", "guidance.channels must be left out"),
        ("{size: 32}", "size must be 16 for this next-frequency DiCo, found 32"),
        (
            "{bands: {pyramid: {grids: [8, 16], basis: cosine, sizing: spectral}}}",
            "the recipe has grids [8×8, 16×16], the checkpoint has [4×4, 8×8, 16×16]"
        ),
        (
            "{bands: {pyramid: {grids: [4, 8, 16], basis: fourier, sizing: spectral}}}",
            "the recipe has basis fourier, the checkpoint has cosine"
        ),
    ])
    func `what the model cannot do is said before anything is drawn`(_ recipe: String, _ message: String) {
        #expect { try plan(recipe) } throws: { "\($0)".contains(message) }
    }

    @Test func `nothing is left to draw above all bands`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/given.png"
            try picture(16, 16).write(to: path)
            #expect { try plan("{bands: {from: '\(path)', keep: 3}}") } throws: {
                "\($0)".contains("bands.keep must be below 3")
            }
        }
    }

    @Test func `the recipe's own pyramid is no error, and a model of whole images has no bands`() throws {
        let pyramid = "{grids: [4, 8, 16], basis: cosine, sizing: spectral}"
        #expect(try plan("{bands: {pyramid: \(pyramid)}}").stepCount == 3)
        #expect { try GenerationPlanTests.plan("{bands: {until: 1}}") } throws: {
            "\($0)".contains("only next-frequency models draw bands")
        }
    }

    @Test func `an image's path in a recipe is relative to the recipe`() throws {
        try withTemporaryFolder { folder in
            let file = folder + "/edit.yaml"
            try AtomicFile.write("checkpoint: a.safetensors\nbands: {from: b.png, keep: 1}\n", to: file)
            let recipe = try SamplingRecipe(recipeFile: file)
            #expect(recipe.sampler.bands?.from == folder + "/b.png")
            let other = try SamplingRecipe(
                recipeFile: file,
                overrides: [SettingsOverride("bands.from", "c.png", option: "--from", isText: true)])
            #expect(other.sampler.bands?.from == "c.png")
        }
    }
}
