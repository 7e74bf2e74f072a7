import Archives
import Foundation
import TestSupport
import Testing

/// Help is compared with stored copies; run with SFUMATO_UPDATE_HELP=1 to store what it is now.
@Suite struct HelpTests {
    @Test(arguments: ["", "train", "generate", "evaluate", "inspect", "convert", "verify", "bench"])
    func `help is as stored and shows an example`(_ command: String) throws {
        let run = try CommandRun((command.isEmpty ? [] : [command]) + ["--help"])
        let file = joinPath(TestData.vendored, "help/\(command.isEmpty ? "sfumato" : command).txt")
        if ProcessInfo.processInfo.environment["SFUMATO_UPDATE_HELP"] != nil {
            try AtomicFile.write(run.output, to: file)
        }
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        #expect(run.output == String(decoding: try bytes(of: file), as: UTF8.self))
        #expect(run.output.contains("Examples:\n  sfumato \(command)"))
    }

    @Test func `the version goes to standard output`() throws {
        let run = try CommandRun(["--version"])
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("0."))
    }
}
