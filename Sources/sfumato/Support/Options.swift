import ArgumentParser
import Checkpoints
import Recipes
import Tensors

/// `--set`, shared by everything that reads settings.
struct OverrideOptions: ParsableArguments {
    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "Change one setting; may be repeated. The value is read as YAML.", valueName: "key=value"))
    var texts: [String] = []

    func overrides() throws -> [SettingsOverride] { try texts.map(SettingsOverride.init(parsing:)) }
}

/// `--threads`, shared by everything that computes.
struct ThreadOptions: ParsableArguments {
    @Option(help: "Threads to compute with (default: one per core).")
    var threads: Int?

    func validate() throws {
        if let threads, threads < 1 {
            throw ValidationError("--threads must be at least 1, found \(threads).")
        }
    }

    func apply() { if let threads { ComputeThreads.setCount(threads) } }
}

extension JSONValue {
    /// Prints the value as the only line of standard output.
    func printLine() { print(text) }
}

extension ImageSize: ExpressibleByArgument {
    public init?(argument: String) { self.init(parsing: argument) }
}
