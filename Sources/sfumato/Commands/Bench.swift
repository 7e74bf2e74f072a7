import ArgumentParser
import Checkpoints
import Recipes
import Tensors

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the machine and the models on it.",
        discussion: """
            Examples:
              sfumato bench
              sfumato bench configs/cifar10-dico.yaml --threads 1 --json
              sfumato bench attention
              sfumato bench --json > before.json; sfumato bench --compare before.json

            Prints time, GFLOP/s and the share of the matrix-product peak, which is measured in the same run.
            """)

    @Argument(
        help:
            "Files of configs/ to time, or groups of cases: \(Benchmark.groups.joined(separator: ", ")). Without any, the project's standard cases.",
        completion: .file())
    var configs: [String] = []
    @Flag(help: "Print the result as JSON.")
    var json = false
    @Option(help: "What the operands of products are rounded to.")
    var precision = ProductPrecision.float32
    @Option(help: "Print the cases beside those of an earlier run's JSON.", completion: .file())
    var compare: String?
    @OptionGroup var compute: ThreadOptions

    func run() throws {
        compute.apply()
        Terminal.warnIfMissing(precision)
        let comparison = try compare.map(BenchmarkComparison.init(path:))
        let results = try Benchmark(
            configs: configs, recipe: configs.isEmpty ? try? ProjectFiles.recipe("cifar10-dico") : nil,
            precision: precision
        ).run { Terminal.status($0) }
        Terminal.endStatus()
        if json { return results.json.printLine() }
        print(results.text)
        if let comparison { print("\n" + comparison.text(results)) }
    }
}

extension ProductPrecision: ExpressibleByArgument {}
