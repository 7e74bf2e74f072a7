import ArgumentParser
import Checkpoints
import Foundation
import Recipes

struct BenchStartup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "startup",
        abstract: "Time from the start of a process to its first sampling step.",
        discussion: """
            Examples:
              sfumato bench startup
              sfumato bench startup --runs 21 --json

            Starts this program again and again, each time to sample one image of the model that ships with the \
            project, and waits for its first finished step.
            """)

    @Option(help: "How many processes are started, one after another.")
    var runs = 11
    @Flag(help: "Print the result as JSON.")
    var json = false
    @OptionGroup var compute: ThreadOptions
    /// Set in the processes that are measured.
    @Flag(help: .hidden)
    var isMeasured = false

    func validate() throws {
        if runs < 1 { throw ValidationError("--runs must be at least 1, found \(runs).") }
    }

    func run() throws {
        compute.apply()
        if isMeasured { return try sampleOneStep() }
        var times = StartupTimes()
        for run in 1...runs {
            Terminal.status("process \(run)/\(runs)")
            try times.add(measureOnce())
        }
        Terminal.endStatus()
        json ? times.json.printLine() : print(times.text)
    }

    /// The measured process: tells when it is where.
    private func sampleOneStep() throws {
        func tell(_ milestone: StartupTimes.Milestone) { milestone.rawValue.printLine() }
        tell(.main)
        let recipe = try SamplingRecipe(recipeFile: ProjectFiles.recipe("cifar10-dico"), overrides: [])
        guard let path = recipe.checkpoint else {
            throw GenerationError("cifar10-dico: names no checkpoint to start with")
        }
        let plan = try GenerationPlan(model: LoadedModel(path: path), recipe: recipe, seeds: [0])
        tell(.loaded)
        Generator(plan).run { _ in false }
        tell(.firstStep)
    }

    /// Starts a process and notes when its lines arrive.
    private func measureOnce() throws -> [StartupTimes.Milestone: Double] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["bench", "startup", "--is-measured"]
        if let threads = compute.threads { process.arguments? += ["--threads", "\(threads)"] }
        let pipe = Pipe()
        process.standardOutput = pipe
        let clock = ContinuousClock()
        let start = clock.now
        try process.run()
        var found: [StartupTimes.Milestone: Double] = [:]
        var text = ""
        while case let data = pipe.fileHandleForReading.availableData, !data.isEmpty {
            let elapsed = (clock.now - start) / .seconds(1)
            text += String(decoding: data, as: UTF8.self)
            for milestone in StartupTimes.Milestone.allCases
            where found[milestone] == nil && text.contains(milestone.rawValue + "\n") {
                found[milestone] = elapsed
            }
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("the measured process failed with status \(process.terminationStatus)")
        }
        return found
    }
}

extension String {
    /// At once, not when a buffer is full.
    fileprivate func printLine() { FileHandle.standardOutput.write(Data((self + "\n").utf8)) }
}
