import Archives
import Foundation
import TestSupport
import Testing

/// Help is compared with stored copies; run with SFUMATO_UPDATE_HELP=1 to store what it is now.
@Suite struct HelpTests {
    static let folder = joinPath(TestData.vendored, "help")
    static let isUpdating = ProcessInfo.processInfo.environment["SFUMATO_UPDATE_HELP"] != nil

    /// What the root's help lists.
    static let commands: [String] = {
        guard let help = try? CommandRun(["--help"]).output else { return [] }
        let lines = help.split(separator: "\n").drop { $0 != "SUBCOMMANDS:" }
        return lines.dropFirst().compactMap { line in
            let isEntry = line.hasPrefix("  ") && !line.hasPrefix("   ") && !line.contains("See 'sfumato")
            return isEntry ? line.split(separator: " ").first.map(String.init) : nil
        }
    }()

    @Test(arguments: [""] + commands)
    func `help is as stored and shows an example`(_ command: String) throws {
        let run = try CommandRun((command.isEmpty ? [] : [command]) + ["--help"])
        let file = joinPath(Self.folder, "\(command.isEmpty ? "sfumato" : command).txt")
        if Self.isUpdating { try AtomicFile.write(run.output, to: file) }
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        #expect(run.output == String(decoding: try bytes(of: file), as: UTF8.self))
        #expect(run.output.contains("Examples:\n  sfumato \(command)"))
    }

    @Test func `every command has a stored help, and no other has`() throws {
        #expect(
            Set(try folderContents(Self.folder)) == Set((["sfumato"] + Self.commands).map { $0 + ".txt" }))
        #expect(Self.commands.count >= 7)
    }

    @Test func `the version goes to standard output`() throws {
        let run = try CommandRun(["--version"])
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("0."))
    }
}
