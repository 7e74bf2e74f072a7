import Archives
import Checkpoints
import Foundation
import Images
import TestSupport
import Testing

@Suite struct GenerationCommandTests {
    /// Images of the tiny model, into `folder`.
    static func generate(_ folder: String, _ extra: [String]) throws -> CommandRun {
        try CommandRun(
            ["generate", "heun-18", "--checkpoint", TinyRun.model.get(), "--steps", "3", "--out", folder]
                + extra)
    }

    @Test func `an image depends on its seed, not on batch size, threads or neighbours`() throws {
        try withTemporaryFolder { folder in
            let ways = [
                ["--seeds", "0-4", "--guidance", "2", "--batch", "1", "--threads", "1"],
                ["--seeds", "0-4", "--guidance", "2", "--batch", "16", "--threads", "2"],
                ["--seeds", "4,2,0,1,3", "--guidance", "2", "--batch", "2", "--threads", "2"],
                ["-n", "5", "--guidance", "2", "--batch", "3"],
            ]
            var results: [[String: String]] = []
            for (index, way) in ways.enumerated() {
                let out = joinPath(folder, "\(index)")
                let run = try Self.generate(out, way)
                #expect(run.status == 0, "\(run.errors)")
                results.append(try contents(of: out))
            }
            #expect(results[0].keys.sorted() == (0..<5).map { "0000000\($0).png" })
            #expect(Set(results[0].values).count == 5)
            for result in results.dropFirst() { #expect(result == results[0]) }
        }
    }

    @Test func `an image carries what repeats it`() throws {
        try withTemporaryFolder { folder in
            let (first, second) = (joinPath(folder, "a"), joinPath(folder, "b"))
            #expect(
                try Self.generate(
                    first, ["--seeds", "7", "--class", "star", "--guidance", "2", "--size", "24x16"]
                )
                .status == 0)
            let file = joinPath(first, "00000007.png")
            let image = try Image(path: file)
            #expect((image.width, image.height) == (24, 16))
            let texts = Dictionary(image.texts.map { ($0.keyword, $0.text) }) { first, _ in first }
            #expect(texts["sfumato.seed"] == "7")
            #expect(texts["sfumato.class"] == "star")
            #expect(texts["sfumato.checkpoint.sha256"] == (try Checkpoint(path: TinyRun.model.get()).digest))
            let run = try CommandRun(["generate", "--like", file, "--out", second, "--threads", "1"])
            #expect(run.status == 0, "\(run.errors)")
            #expect(try Image(path: joinPath(second, "00000007.png")).samples == image.samples)
        }
    }

    @Test func `grid, film, array and previews are made beside the images`() throws {
        try withTemporaryFolder { folder in
            let run = try Self.generate(
                folder, ["-n", "3", "--grid", "--gif", "--npz", "--previews-every", "2", "--columns", "3"])
            #expect(run.status == 0, "\(run.errors)")
            let names = try folderContents(folder)
            #expect(
                names == [
                    "00000000-step-2.png", "00000000.png", "00000001-step-2.png", "00000001.png",
                    "00000002-step-2.png", "00000002.png", "film.gif", "grid.png", "samples.npz",
                ])
            #expect(Set(run.output.split(separator: "\n").map { splitPath(String($0)).name }) == Set(names))
            let grid = try Image(path: joinPath(folder, "grid.png"))
            #expect((grid.width, grid.height) == (3 * 18 + 2, 20))
            let arrays = try NumPyArchive.read(path: joinPath(folder, "samples.npz"))
            let images = try #require(arrays.first { $0.name == "arr_0" })
            #expect(images.type == .uint8 && images.shape == [3, 16, 16, 3])
            #expect(arrays.first { $0.name == "arr_1" }?.integers == [0, 1, 2])
            let second = try Image(path: joinPath(folder, "00000001.png"))
            #expect(images.bytes.withBytes { Array($0[768..<1536]) } == second.bytes)
        }
    }

    @Test func `nothing is replaced without being asked to`() throws {
        try withTemporaryFolder { folder in
            #expect(try Self.generate(folder, ["-n", "1"]).status == 0)
            let before = try contents(of: folder)
            let again = try Self.generate(folder, ["-n", "2"])
            #expect(again.status == 1)
            #expect(
                again.errors
                    == "sfumato: error: \(folder)/00000000.png: already exists; choose another --out, or add --overwrite\n"
            )
            #expect(try contents(of: folder) == before)
            #expect(try Self.generate(folder, ["-n", "1", "--overwrite"]).status == 0)
            #expect(try contents(of: folder) == before)
        }
    }

    @Test(arguments: [
        (["--class", "stra"], "has no class \"stra\"; did you mean \"star\"?"),
        (["--class", "10"], "has no class \"10\"; known are circle, square, triangle"),
        (["--size", "20"], "size must have sides that are multiples of 8 for this DiCo, found 20"),
        (["--out", "/dev/null/x"], "/dev/null: cannot make a folder"),
        (
            ["--set", "solver=ddpm"],
            "for this model solver must be another than ddpm for a continuous process"
        ),
        (["--set", "guidence.scale=2"], "guidence is no setting; did you mean \"guidance\"?"),
    ])
    func `what the model cannot do is one clear error, and nothing is written`(
        _ extra: [String], _ message: String
    ) throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "out")
            let run = try Self.generate(out, extra)
            #expect(run.status == 1)
            #expect(run.errors.contains(message), "\(run.errors)")
            #expect(run.errors.split(separator: "\n").count == 1)
            #expect(!fileExists(out))
        }
    }

    @Test func `a file too large for the disk leaves nothing half-written`() throws {
        try withTemporaryFolder { folder in
            let run = try CommandRun(
                [
                    "generate", "heun-18", "--checkpoint", TinyRun.model.get(), "--steps", "2", "-n", "1",
                    "--size",
                    "64", "--out", folder,
                ], shell: "trap '' XFSZ; ulimit -f 1;")
            #expect(run.status == 1)
            #expect(run.errors.contains("cannot write"), "\(run.errors)")
            #expect(try folderContents(folder).isEmpty)
        }
    }

    @Test func `Ctrl-C keeps what is finished and ends with 130`() throws {
        try withTemporaryFolder { folder in
            let run = try CommandRun(
                [
                    "generate", "heun-18", "--checkpoint", TinyRun.model.get(), "-n", "100000", "--batch",
                    "1",
                    "--grid", "--gif", "--out", folder,
                ], interruptedAfter: joinPath(folder, "00000001.png"))
            #expect(run.status == 130, "\(run.errors)")
            let names = try folderContents(folder)
            #expect(names.contains("grid.png") && names.contains("00000001.png"))
            #expect(!names.contains("film.gif"), "a film of half the steps is none")
            #expect(names.count < 1000)
        }
    }

    @Test func `a damaged checkpoint is one clear error`() throws {
        try withTemporaryFolder { folder in
            let whole = try bytes(of: TinyRun.model.get())
            for (name, content) in [
                ("short", Array(whole.prefix(whole.count / 2))), ("stub", Array(whole.prefix(5))),
                ("empty", []),
                ("noise", (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) }),
            ] {
                let file = joinPath(folder, name + ".safetensors")
                try AtomicFile.write(content, to: file)
                let run = try CommandRun([
                    "generate", "heun-18", "--checkpoint", file, "--out", folder + "/out",
                ])
                #expect(run.status == 1)
                #expect(run.errors.hasPrefix("sfumato: error: \(file): "), "\(run.errors)")
                #expect(!fileExists(folder + "/out"))
            }
        }
    }

    @Test func `the plan can be read by people and programs, and writes nothing`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "out")
            let text = try Self.generate(out, ["--seeds", "3-5,9", "--class", "2", "--dry-run"])
            #expect(text.status == 0)
            #expect(text.output.contains("images      4, 16×16, 3 channels"))
            #expect(text.output.contains("seeds       3-5,9"))
            #expect(text.output.contains("solver      heun, 3 steps"))
            let json = try Self.generate(out, ["--seeds", "3-5,9", "--class", "2", "--dry-run", "--json"])
            let plan = try JSONValue(parsing: json.output)
            #expect(plan["images"]?[3]?["seed"]?.string == "9")
            #expect(plan["images"]?[0]?["class"]?.string == "triangle")
            #expect(!fileExists(out))
        }
    }

    @Test func `samples are scored, inspected and converted`() throws {
        try withTemporaryFolder { folder in
            let samples = joinPath(folder, "samples")
            #expect(try Self.generate(samples, ["-n", "12", "--npz"]).status == 0)
            let score = try CommandRun([
                "evaluate", joinPath(samples, "samples.npz"), "--against", samples, "--metrics", "fd-wm,lsd",
                "--json",
            ])
            #expect(score.status == 0, "\(score.errors)")
            #expect(try JSONValue(parsing: score.output)["samples"]?.integer == 12)

            let inspected = try CommandRun(["inspect", TinyRun.model.get(), "--json"])
            let report = try JSONValue(parsing: inspected.output)
            let half = joinPath(folder, "half.safetensors")
            let converted = try CommandRun(["convert", TinyRun.model.get(), half, "--precision", "bfloat16"])
            #expect(converted.status == 0, "\(converted.errors)")
            #expect(converted.output == half + "\n")
            let smaller = try JSONValue(parsing: CommandRun(["inspect", half, "--json"]).output)
            #expect(smaller["parameters"] == report["parameters"])
            #expect(smaller["config"] == report["config"])
        }
    }
}
