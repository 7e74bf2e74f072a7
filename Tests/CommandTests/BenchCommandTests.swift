import Archives
import Checkpoints
import TestSupport
import Testing

/// What the benchmark's subcommands print and write; never how fast anything is.
@Suite struct BenchCommandTests {
    @Test(arguments: ["models", "scaling", "startup", "peers"])
    func `a subcommand's help shows an example`(_ name: String) throws {
        let run = try CommandRun(["bench", name, "--help"])
        #expect(run.status == 0)
        #expect(run.output.contains("Examples:\n  sfumato bench \(name)"))
    }

    @Test func `scaling prints its points and draws a plot`() throws {
        try withTemporaryFolder { folder in
            let run = try CommandRun([
                "bench", "scaling", "tokens", "--largest", "512", "--json", "--plots", joinPath(folder, "p"),
            ])
            #expect(run.status == 0, "\(run.errors)")
            let series = try JSONValue(parsing: run.output)["series"]?.array ?? []
            #expect(series.count == 2)
            #expect(series.allSatisfy { $0["points"]?.array?.count == 2 })
            #expect(try folderContents(joinPath(folder, "p")) == ["tokens.png"])
        }
    }

    @Test func `a model that runs again asks the system for no memory, in sampling as in training`() throws {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "small.yaml")
            let settings = """
                model: {kind: dico, inputChannels: 3, hiddenSize: 16, depth: [1, 1, 1, 1, 1], classCount: 0,
                  classDropout: 0, learnSigma: false}
                data: {path: \(folder), size: 16}
                objective: {kind: flow}
                batchSize: 4
                steps: 10
                """
            try AtomicFile.write(settings, to: path)
            // On one thread, because how several overlap differs from run to run.
            let run = try CommandRun(["bench", path, "--json", "--threads", "1"])
            #expect(run.status == 0, "\(run.errors)")
            let cases = try JSONValue(parsing: run.output)["cases"]?.array ?? []
            #expect(cases.count == 2)
            for benchmark in cases { #expect(benchmark["systemRequests"]?.number == 0, "\(benchmark)") }
        }
    }

    @Test func `startup waits for the first step of processes of its own`() throws {
        let run = try CommandRun(["bench", "startup", "--runs", "2", "--json"])
        #expect(run.status == 0, "\(run.errors)")
        let times = try JSONValue(parsing: run.output)
        let first = try #require(times["main"]?.numbers), last = try #require(times["firstStep"]?.numbers)
        #expect(first.count == 2 && zip(first, last).allSatisfy { $0 < $1 })
    }

    @Test func `an unknown job of the peers is refused with the nearest name`() throws {
        let run = try CommandRun(["bench", "peers", "dncnn-forwards"])
        #expect(run.status == 1)
        #expect(
            run.errors.hasPrefix(
                "sfumato: error: there is no job \"dncnn-forwards\"; did you mean \"dncnn-forward\"?"))
    }
}
