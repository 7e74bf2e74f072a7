import Archives
import Foundation
import TestSupport

/// One run of the built executable.
struct CommandRun {
    /// As a shell reports it: 128 and the signal's number for a process that a signal ended.
    var status: Int32
    var output: String
    var errors: String
    /// The signals that the first thread had blocked when the interrupt was sent, bit n − 1 for signal n.
    var blockedSignals: UInt64?

    /// Lies beside the test bundle.
    static let executable: String = {
        let folder = Bundle.main.executablePath.map { splitPath($0).folder } ?? "."
        let candidates = [folder, TestData.root + "/.build/debug", TestData.root + "/.build/release"]
        return candidates.map { joinPath($0, "sfumato") }.first(where: fileExists) ?? "sfumato"
    }()

    /// - Parameters:
    ///   - shell: put before the executable, as in `ulimit -f 1;`.
    ///   - output: sends an interrupt (or another signal) once this file holds something. A log is made before the
    ///     first step and has its first line after it.
    init(
        _ arguments: [String], shell: String? = nil, interruptedAfter output: String? = nil,
        signal: Int32 = SIGINT
    ) throws {
        let process = Process()
        if let shell {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "\(shell) exec \"$0\" \"$@\"", Self.executable] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: Self.executable)
            process.arguments = arguments
        }
        process.currentDirectoryURL = URL(fileURLWithPath: TestData.root)
        process.environment = ProcessInfo.processInfo.environment.merging(["COLUMNS": "80"]) { $1 }
        let folder = FileManager.default.temporaryDirectory.path + "/sfumato-run-\(UUID().uuidString)"
        try makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Files, because a full pipe would stop the command.
        let files = ["out", "err"].map { joinPath(folder, $0) }
        for file in files { try AtomicFile.write("", to: file) }
        process.standardOutput = FileHandle(forWritingAtPath: files[0])
        process.standardError = FileHandle(forWritingAtPath: files[1])
        process.standardInput = FileHandle.nullDevice
        try process.run()
        if let output {
            let deadline = Date().addingTimeInterval(60)
            while process.isRunning, (try? bytes(of: output))?.isEmpty ?? true, Date() < deadline {
                usleep(2000)
            }
            blockedSignals = Self.blockedSignals(process.processIdentifier)
            kill(process.processIdentifier, signal)
        }
        process.waitUntilExit()
        let wasKilled = process.terminationReason == .uncaughtSignal
        status = process.terminationStatus + (wasKilled ? 128 : 0)
        self.output = try Self.text(files[0])
        errors = try Self.text(files[1])
    }

    private static func blockedSignals(_ process: Int32) -> UInt64? {
        let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("SigBlk:") }
        return line.flatMap { UInt64($0.dropFirst("SigBlk:".count).drop { $0 == "\t" }, radix: 16) }
    }

    private static func text(_ file: String) throws -> String {
        String(decoding: try bytes(of: file), as: UTF8.self)
    }
}

/// Paths and SHA-256 of every file below a folder, but for logs, which carry times.
func contents(of folder: String) throws -> [String: String] {
    var result: [String: String] = [:]
    for name in try folderContents(folder) {
        let path = joinPath(folder, name)
        if fileExists(joinPath(path, ".")) {
            for (inner, digest) in try contents(of: path) { result["\(name)/\(inner)"] = digest }
        } else if !name.hasPrefix("events.") && name != "log.jsonl" && name != ".lock" {
            var hash = SHA256()
            try bytes(of: path).withUnsafeBytes { hash.update($0) }
            result[name] = hash.hexadecimal()
        }
    }
    return result
}
