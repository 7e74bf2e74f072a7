import Archives
import Checkpoints
import Images
import TestSupport
import Testing

@Suite struct DenoiseCommandTests {
    static let model = joinPath(TestData.vendored, "matlab/dncnn.mat")

    @Test func `folders keep their shape, a damaged file ends with status 1, and nothing is replaced`() throws
    {
        try withTemporaryFolder { folder in
            let (input, out) = (joinPath(folder, "in"), joinPath(folder, "out"))
            try makeFolder(joinPath(input, "deep"))
            try Image(width: 14, height: 12, color: [90, 20, 200]).write(to: joinPath(input, "a.jpg"))
            try Image(width: 9, height: 12, color: [90]).write(to: joinPath(input, "deep/b.png"))
            let arguments = [
                "denoise", Self.model, input, "-o", out, "--recursive", "--compare", "--threads", "1",
            ]
            let run = try CommandRun(arguments)
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.output == "\(out)/a.png\n\(out)/deep/b.png\n")
            #expect(run.errors.contains("a.jpg: the model is for grey images"))
            #expect(try folderContents(out) == ["a-compare.png", "a.png", "deep"])

            let again = try CommandRun(arguments)
            #expect(again.status == 1)
            #expect(
                again.errors.contains("already exists, and 3 more; choose another --out, or add --overwrite"))

            try AtomicFile.write([0x89, 0x50, 0x4E, 0x47], to: joinPath(input, "broken.png"))
            let rest = try CommandRun(arguments + ["--overwrite", "--json"])
            #expect(rest.status == 1)
            #expect(rest.errors.contains("sfumato: error: \(input)/broken.png: "))
            let report = try JSONValue(parsing: rest.output)
            #expect(report["images"]?.array?.count == 2 && report["failed"]?.array?.count == 1)
        }
    }

    @Test func `evaluate scores a denoiser at every level of noise, as denoise does`() throws {
        try withTemporaryFolder { folder in
            for (name, level) in [("a.png", UInt8(90)), ("b.png", 180)] {
                try Image(width: 24, height: 20, color: [level]).write(to: joinPath(folder, name))
            }
            let arguments = ["evaluate", Self.model, "--against", folder, "--add-noise", "15,50"]
            let run = try CommandRun(arguments + ["--metrics", "psnr,ssim", "--json", "--threads", "1"])
            #expect(run.status == 0, "\(run.errors)")
            let levels = try #require(try JSONValue(parsing: run.output)["levels"]?.array)
            #expect(levels.map { $0["sigma"]?.number } == [15, 50])
            let one = try CommandRun([
                "denoise", Self.model, folder, "--add-noise", "50", "--no-images", "--json",
            ])
            #expect(try JSONValue(parsing: one.output)["images"] == levels[1]["images"])
            let text = try CommandRun(arguments).output
            #expect(text.hasPrefix("σ ") && text.contains("\n15 ") && text.contains("\n50 "))
        }
    }

    @Test func `images alone are for the project's own denoiser, which is looked for as recipes are`() throws
    {
        try withTemporaryFolder { folder in
            let image = joinPath(folder, "a.png")
            try Image(width: 14, height: 12, color: [90]).write(to: image)
            let recipe = joinPath(folder, "mine.yaml")
            try AtomicFile.write("task: denoise\ncheckpoint: mine.safetensors\n", to: recipe)
            let missing = try CommandRun(["denoise", recipe, image, "-o", joinPath(folder, "out")])
            #expect(missing.status == 1)
            #expect(missing.errors.contains("\(folder)/mine.safetensors: the recipe's model was not found"))

            let converted = try CommandRun(["convert", Self.model, joinPath(folder, "mine.safetensors")])
            #expect(converted.status == 0)
            let run = try CommandRun(["denoise", recipe, image, "-o", joinPath(folder, "out")])
            #expect(run.status == 0 && run.output == "\(folder)/out/a.png\n", "\(run.errors)")

            let usual = joinPath(TestData.root, "samplers/weights/denoise-nafnet-color.safetensors")
            let alone = try CommandRun(["denoise", image, "-o", joinPath(folder, "alone")])
            #expect(alone.status == (fileExists(usual) ? 0 : 1))
            guard !fileExists(usual) else { return }
            #expect(
                alone.errors.contains("denoise-nafnet-color.safetensors: the recipe's model was not found"))
            #expect(alone.errors.contains("set SFUMATO_HOME to the project's folder, or name a model"))
        }
    }

    @Test func `inputs are not replaced unless asked to`() throws {
        try withTemporaryFolder { folder in
            let file = joinPath(folder, "a.png")
            try Image(width: 14, height: 12, color: [90]).write(to: file)
            let run = try CommandRun(["denoise", Self.model, file, "-o", folder])
            #expect(run.status == 1)
            #expect(run.errors.contains("\(file): is an input and would be replaced"))
        }
    }

    @Test(arguments: [
        (["denoise", "m"], "Error: Give at least one image."),
        (
            ["evaluate", "m", "--against", "a", "--set", "strength=1"],
            "Error: --set changes a recipe: give --recipe, or a denoiser with --add-noise."
        ),
        (
            ["evaluate", "m", "--against", "a", "--add-noise", "25,x"],
            "Error: The value '25,x' is invalid for '--add-noise"
        ),
        (
            ["evaluate", "m", "--against", "a", "--add-noise", "25", "--metrics", "lpips"],
            "Error: --add-noise scores psnr and ssim, not lpips."
        ),
        (["denoise", "m", "a.png", "--tile", "3"], "Error: --tile must be 0 or at least 16, found 3."),
        (["denoise", "m", "a.png", "--sigma", "much"], "Error: The value 'much' is invalid for '--sigma"),
    ])
    func `bad usage ends with 64`(_ arguments: [String], _ message: String) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 64)
        #expect(run.errors.hasPrefix(message), "\(run.errors)")
    }

    @Test(arguments: [
        (["--set", "strength=0.5"], "is not tunable, so it has no strength; leave out --set"),
        (["--local-means", "64"], "--local-means is for NAFNet"),
        (["--sigma", "map.png"], "is not told the noise level, so a map of it changes nothing"),
        (["--reference", "none"], "none: cannot read: no such file or folder"),
    ])
    func `what the model cannot do is one clear error`(_ extra: [String], _ message: String) throws {
        try withTemporaryFolder { folder in
            let file = joinPath(folder, "a.png")
            try Image(width: 14, height: 12, color: [90]).write(to: file)
            let run = try CommandRun(["denoise", Self.model, file, "-o", joinPath(folder, "out")] + extra)
            #expect(run.status == 1)
            #expect(run.errors.contains(message), "\(run.errors)")
            #expect(!fileExists(joinPath(folder, "out")))
        }
    }
}
