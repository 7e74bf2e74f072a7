import Archives
import Checkpoints
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct CheckpointTests {
    private let weights = [OutgoingTensor(name: "w", Tensor(shape: [2, 1], scalars: [1, 2]), as: .bfloat16)]

    @Test func `carries its configuration and a digest of its weights alone`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/m.safetensors"
            try Checkpoint.write(weights, config: ["kind": "dico"], metadata: ["step": "5"], to: path)
            let checkpoint = try Checkpoint(path: path)
            try checkpoint.verify()
            #expect(checkpoint.config == ["kind": "dico"])
            #expect(checkpoint.metadata["step"] == "5" && checkpoint.metadata["format"] == "sfumato")
            #expect(checkpoint.tensors.map(\.floats) == [[1, 2]])
            #expect(checkpoint.digest.count == 64)
            try Checkpoint.write(weights, config: ["kind": "other"], to: path)
            #expect(try Checkpoint(path: path).digest == checkpoint.digest)

            var damaged = try bytes(of: path)
            damaged[damaged.count - 1] ^= 1
            try AtomicFile.write(damaged, to: path)
            #expect(throws: CheckpointFileError.self) { try Checkpoint(path: path).verify() }
        }
    }

    @Test func `a run folder opens as its newest averaged weights`() throws {
        try withTemporaryFolder { folder in
            let run = RunFolder(path: folder + "/run")
            let lock = try run.open()
            try run.save(state(step: 10, value: 1))
            try run.save(state(step: 9, value: 2))
            let checkpoint = try Checkpoint(path: run.path)
            #expect(checkpoint.path == run.statePath(step: 10))
            #expect(checkpoint.tensors.map(\.name) == ["a.weight"])
            #expect(checkpoint.tensors[0].floats == [-1, -1])
            withExtendedLifetime(lock) {}
            let error = #expect(throws: CheckpointFileError.self) { try Checkpoint(path: folder) }
            #expect(error?.problem.contains("without checkpoints") == true)
        }
    }
}

private func state(step: Int, value: Float) -> TrainingState {
    TrainingState(
        step: step, config: ["lr": 0.001], model: ["a.weight": Tensor(shape: [2], scalars: [value, value])],
        ema: ["a.weight": Tensor(shape: [2], scalars: [-value, -value])],
        firstMoments: ["a.weight": Tensor(shape: [2], scalars: [value, 0.5])],
        secondMoments: ["a.weight": Tensor(shape: [2], scalars: [value, 0.25])],
        randomCounters: ["noise": .max, "labels": 3], dataPosition: ["epoch": 2, "index": 7],
        notes: ["seconds": 1.5])
}

@Suite struct RunFolderTests {
    @Test func `a state comes back as it was saved`() throws {
        try withTemporaryFolder { folder in
            let saved = state(step: 1000, value: 1.5)
            try saved.write(to: folder + "/s.safetensors")
            let read = try TrainingState(path: folder + "/s.safetensors")
            #expect(
                read.step == 1000 && read.config == saved.config
                    && read.randomCounters == saved.randomCounters)
            #expect(read.dataPosition == saved.dataPosition && read.notes == saved.notes)
            for group in [\TrainingState.model, \.ema, \.firstMoments, \.secondMoments] {
                #expect(
                    read[keyPath: group].mapValues(\.scalars) == saved[keyPath: group].mapValues(\.scalars))
            }
            #expect(throws: CheckpointFileError.self) {
                try TrainingState(path: TestData.fixture("denoise/pth_tiny_expected.safetensors"))
            }
        }
    }

    @Test func `layout, retention and the newest state`() throws {
        try withTemporaryFolder { folder in
            let run = RunFolder(path: folder + "/deep/run")
            #expect(try run.newestState() == nil)
            let lock = try run.open(config: "model: dico\n")
            for step in stride(from: 100, through: 700, by: 100) {
                try run.save(state(step: step, value: Float(step)), retention: Retention(last: 2, every: 300))
            }
            #expect(run.states().map(\.step) == [300, 600, 700])
            #expect(run.statePath(step: 700).hasSuffix("checkpoints/step-00000700.safetensors"))
            #expect(try run.newestState()?.step == 700)
            let names = try folderContents(run.path)
            #expect(names == [".lock", "checkpoints", "config.yaml", "samples"])
            withExtendedLifetime(lock) {}
        }
    }

    @Test func `a damaged newest state is passed over and reported, leftovers are removed`() throws {
        try withTemporaryFolder { folder in
            let run = RunFolder(path: folder)
            var lock = Optional(try run.open())
            for step in [1, 2] { try run.save(state(step: step, value: 1)) }
            let cut = Array(try bytes(of: run.statePath(step: 2)).dropLast(3))
            try AtomicFile.write(cut, to: run.statePath(step: 2))
            try AtomicFile.write("x", to: run.checkpointsPath + "/.step-00000003.safetensors.1a.partial")
            try AtomicFile.write("x", to: run.checkpointsPath + "/notes.txt")
            lock = nil

            lock = try run.open()
            var reports: [String] = []
            #expect(try run.newestState { reports.append("\($0)") }?.step == 1)
            #expect(reports.count == 1 && reports[0].contains("step-00000002"))
            #expect(try run.newestStatePath() == run.statePath(step: 1))
            let names = try folderContents(run.checkpointsPath)
            #expect(names == ["notes.txt", "step-00000001.safetensors", "step-00000002.safetensors"])
            withExtendedLifetime(lock) {}

            try AtomicFile.write(cut, to: run.statePath(step: 1))
            #expect(throws: CheckpointFileError.self) { try run.newestState() }
        }
    }

    @Test func `two runs cannot have one folder`() throws {
        try withTemporaryFolder { folder in
            let run = RunFolder(path: folder)
            var first = Optional(try run.open())
            let error = #expect(throws: FolderInUseError.self) { try run.open() }
            #expect(error?.process == Int(ProcessInfo.processInfo.processIdentifier))
            #expect(error?.description.contains("is in use by process") == true)
            withExtendedLifetime(first) {}
            first = nil
            _ = try run.open()
        }
    }

    @Test func `killed at any moment of a save, a run resumes from a whole state`() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/sfumato-kill-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        setenv("SFUMATO_KILL_FOLDER", folder, 1)
        var lastStep = 0
        for _ in 0..<6 {
            await #expect(processExitsWith: .failure) {
                let folder = try #require(ProcessInfo.processInfo.environment["SFUMATO_KILL_FOLDER"])
                let run = RunFolder(path: folder)
                let lock = try run.open()
                Thread.detachNewThread {
                    usleep(UInt32.random(in: 1000...60_000))
                    kill(getpid(), SIGKILL)
                }
                var step = try run.newestState()?.step ?? 0
                while true {
                    step += 1
                    let value = Tensor(repeating: Float(step), shape: [50_000])
                    try run.save(TrainingState(step: step, config: nil, model: ["w": value]))
                }
                withExtendedLifetime(lock) {}
            }
            let run = RunFolder(path: folder)
            _ = try run.open()
            let state = try run.newestState { Issue.record("damaged: \($0)") }
            #expect((state?.step ?? 0) >= lastStep)
            lastStep = state?.step ?? 0
            if let state { #expect(state.model["w"]?.scalars.allSatisfy { $0 == Float(state.step) } == true) }
            #expect(try folderContents(run.checkpointsPath).allSatisfy { !$0.hasSuffix(".partial") })
        }
        #expect(lastStep > 0)
    }
}

@Suite struct ParameterDifferencesTests {
    @Test func `says what is missing, unexpected and misshapen, the first few of each`() {
        let expected = ["a": [1], "b": [2], "c": [3], "d": [4], "e": [5, 5], "f": [6]]
        let found = ["e": [5], "f": [1], "x": [1]]
        let differences = ParameterDifferences(
            file: "m.pth", model: "dico-s", expected: expected, found: found)
        let text = """
            m.pth: does not fit dico-s: 4 missing (a, b, c, …), 1 unexpected (x), 2 of another shape (e is [5], \
            needed [5, 5], f is [1], needed [6])
            """
        #expect(differences.description == text)
        #expect(throws: differences) { try differences.check() }
    }

    @Test func `one wrong shape is one sentence, a fit is silent`() throws {
        let one = ParameterDifferences(
            file: "dico-s.safetensors", model: "the model of configs/dico-s.yaml",
            expected: ["blocks.3.conv1.weight": [384, 1]], found: ["blocks.3.conv1.weight": [384, 3]])
        #expect(
            one.description
                == "dico-s.safetensors: blocks.3.conv1.weight is [384, 3], the model of configs/dico-s.yaml needs [384, 1]"
        )
        try ParameterDifferences(file: "m", model: "n", expected: ["a": [1]], found: ["a": [1]]).check()
    }
}
