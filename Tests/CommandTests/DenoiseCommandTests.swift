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
        (["denoise", "m"], "Error: Give a model and at least one image."),
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
