import ArgumentParser
import Checkpoints
import Recipes

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the machine and the models on it.",
        discussion: """
            Examples:
              sfumato bench
              sfumato bench configs/cifar10-dico.yaml --threads 1 --json
              sfumato bench attention

            Prints time, GFLOP/s and the share of the matrix-product peak, which is measured in the same run.
            """)

    @Argument(
        help:
            "Files of configs/ to time, or groups of cases: \(Benchmark.groups.joined(separator: ", ")). Without any, the project's standard cases.",
        completion: .file())
    var configs: [String] = []
    @Flag(help: "Print the result as JSON.")
    var json = false
    @OptionGroup var compute: ThreadOptions

    func run() throws {
        compute.apply()
        let results = try Benchmark(
            configs: configs, recipe: configs.isEmpty ? try? ProjectFiles.recipe("cifar10-dico") : nil
        ).run { Terminal.status($0) }
        Terminal.endStatus()
        if json { results.json.printLine() } else { print(results.text) }
    }
}
