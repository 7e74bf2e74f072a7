import Archives
import Foundation
import TestSupport
import Testing

/// A model so small that training it takes seconds in a debug build.
enum TinyRun {
    static let settings = [
        "model.hiddenSize=4", "model.depth=[1,0,1,0,1]", "data.count=64", "batchSize=4", "steps=6",
        "checkpoints.every=2", "samples.every=0", "optimizer.schedule.warmupSteps=2", "log.every=3",
    ]

    static func arguments(_ folder: String, _ extra: [String] = []) -> [String] {
        ["train", "configs/shapes-dico.yaml", "--out", folder, "--threads", "1"]
            + (settings + extra).flatMap { ["--set", $0] }
    }

    /// One finished run, shared by tests that need a model.
    static let model: Result<String, any Error> = Result {
        let folder = FileManager.default.temporaryDirectory.path + "/sfumato-tiny-\(UUID().uuidString)"
        let run = try CommandRun(arguments(folder))
        try #require(run.status == 0, "\(run.errors)")
        return joinPath(folder, "model.safetensors")
    }
}

@Suite struct TrainingCommandTests {
    @Test func `a run fills its folder and prints the model's path alone`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let run = try CommandRun(TinyRun.arguments(out, ["samples.every=3", "samples.count=2"]))
            #expect(run.status == 0)
            #expect(run.output == "\(out)/model.safetensors\n")
            #expect(run.errors.isEmpty, "standard error is no terminal, so it stays quiet: \(run.errors)")
            let names = try folderContents(out).filter { !$0.hasPrefix("events.") }
            #expect(
                names == [".lock", "checkpoints", "config.yaml", "log.jsonl", "model.safetensors", "samples"])
            #expect(try folderContents(joinPath(out, "checkpoints")) == ["step-00000006.safetensors"])
            #expect(
                try folderContents(joinPath(out, "samples")) == ["step-00000003.png", "step-00000006.png"])
            let log = String(decoding: try bytes(of: joinPath(out, "log.jsonl")), as: UTF8.self)
            #expect(log.split(separator: "\n").count == 2)
        }
    }

    @Test func `a run evaluates its averaged weights on the way`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let settings = [
                "evaluate.every=3", "evaluate.metrics=[fd-wm, spectrum]", "evaluate.count=3",
                "evaluate.referenceCount=8", "evaluate.sampler.steps=2",
            ]
            let run = try CommandRun(TinyRun.arguments(out, settings))
            #expect(run.status == 0, "\(run.errors)")
            let log = String(decoding: try bytes(of: joinPath(out, "log.jsonl")), as: UTF8.self)
            let scores = log.split(separator: "\n").filter { $0.contains("\"evaluate\"") }
            #expect(scores.count == 2)
            #expect(scores.allSatisfy { $0.contains("\"fd-wm\"") && $0.contains("\"spectral-fd\"") })
        }
    }

    @Test func `a run stopped and killed on the way ends with the bytes of one left alone`() throws {
        try withTemporaryFolder { folder in
            let (whole, broken) = (joinPath(folder, "whole"), joinPath(folder, "broken"))
            #expect(try CommandRun(TinyRun.arguments(whole)).status == 0)
            let arguments = TinyRun.arguments(broken)
            let first = try CommandRun(
                arguments, interruptedAfter: joinPath(broken, "checkpoints/step-00000002.safetensors"),
                signal: SIGKILL)
            let second = try CommandRun(
                arguments + ["--resume"],
                interruptedAfter: joinPath(broken, "checkpoints/step-00000004.safetensors"))
            // A machine may be too fast for the signals; the bytes must agree in any case.
            #expect([0, 137].contains(first.status))
            #expect([0, 130].contains(second.status), "\(second.errors)")
            // The folder alone says what to go on with.
            #expect(try CommandRun(["train", broken, "--resume", "--threads", "1"]).status == 0)
            #expect(try contents(of: broken) == contents(of: whole))
        }
    }

    @Test func `Ctrl-C saves the step it was at and ends with 130`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let run = try CommandRun(
                TinyRun.arguments(out, ["steps=100000", "checkpoints.every=100000"]),
                interruptedAfter: joinPath(out, "log.jsonl"))
            #expect(run.status == 130)
            #expect(run.output.isEmpty)
            let states = try folderContents(joinPath(out, "checkpoints"))
            #expect(states.count == 1 && states[0].hasSuffix(".safetensors"), "\(states)")
        }
    }

    @Test func `signals do not reach the thread that computes`() throws {
        // Kernels that use the stack register for something else would have memory overwritten by a signal.
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let run = try CommandRun(
                TinyRun.arguments(out, ["steps=100000"]), interruptedAfter: joinPath(out, "log.jsonl"))
            let signals: UInt64 = 1 << UInt64(SIGINT - 1) | 1 << UInt64(SIGTERM - 1)
            #expect(run.status == 130)
            #expect(run.blockedSignals.map { $0 & signals } == signals)
        }
    }

    @Test func `a folder that holds a run is not trained over`() throws {
        let model = try TinyRun.model.get()
        let folder = splitPath(model).folder
        let before = try contents(of: folder)
        let again = try CommandRun(TinyRun.arguments(folder))
        #expect(again.status == 1)
        #expect(
            again.errors
                == "sfumato: error: \(folder): already holds a run, at step 6; continue it with --resume, or choose another --out\n"
        )
        let other = try CommandRun(TinyRun.arguments(folder, ["optimizer.beta1=0.5"]) + ["--resume"])
        #expect(other.status == 1)
        #expect(
            other.errors
                == "sfumato: error: \(folder): was trained with other settings, so it cannot be resumed: optimizer.beta1 (0.9, now 0.5); restore them, or choose another --out\n"
        )
        #expect(try contents(of: folder) == before)
    }

    @Test func `a value that is not finite stops the run and leaves a state`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let run = try CommandRun(
                TinyRun.arguments(
                    out,
                    [
                        "optimizer.learningRate=1e30", "optimizer.clipNorm=0",
                        "optimizer.schedule.warmupSteps=0",
                        "steps=50", "checkpoints.every=1000",
                    ]))
            #expect(run.status == 1)
            #expect(run.errors.contains("is not finite"), "\(run.errors)")
            #expect(try folderContents(joinPath(out, "checkpoints")).count == 1)
        }
    }

    @Test func `a state that cannot be written leaves nothing half-written`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let run = try CommandRun(
                TinyRun.arguments(out, ["log.tensorBoard=false"]), shell: "trap '' XFSZ; ulimit -f 4;")
            #expect(run.status == 1)
            #expect(
                run.errors.contains("cannot write: the file would be larger than allowed"), "\(run.errors)")
            #expect(try folderContents(joinPath(out, "checkpoints")).isEmpty)
        }
    }

    @Test(.enabled(if: SmallDisk.canMount)) func `a full disk is one clear error`() throws {
        try SmallDisk.with(kilobytes: 256) { disk in
            let out = joinPath(disk, "run")
            let run = try CommandRun(TinyRun.arguments(out, ["model.hiddenSize=16"]))
            #expect(run.status == 1)
            #expect(run.errors.contains("the disk is full"), "\(run.errors)")
            #expect(try folderContents(joinPath(out, "checkpoints")).isEmpty)
        }
    }

    @Test func `a dry run writes nothing`() throws {
        try withTemporaryFolder { folder in
            let out = joinPath(folder, "run")
            let run = try CommandRun(TinyRun.arguments(out) + ["--dry-run"])
            #expect(run.status == 0)
            #expect(run.output.contains("data        shapes, 64 images, 10 classes, 0 held out"))
            #expect(!fileExists(out))
        }
    }
}

/// A file system with little room, where the machine lets the tests make one.
enum SmallDisk {
    static let canMount = (try? with(kilobytes: 64) { _ in true }) ?? false

    static func with<Result>(kilobytes: Int, _ body: (String) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try run("mount", ["-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", folder])
            defer { try? run("umount", [folder]) }
            return try body(folder)
        }
    }

    private static func run(_ tool: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw FileError(path: tool, action: "run") }
    }
}
