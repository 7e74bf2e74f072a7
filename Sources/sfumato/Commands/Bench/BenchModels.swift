import ArgumentParser
import Checkpoints
import Recipes
import Tensors

struct BenchModels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "Time models: milliseconds, GFLOP/s and the share of the matrix-product peak.",
        discussion: """
            Examples:
              sfumato bench models configs/cifar10-dico.yaml --threads 1 --json
              sfumato bench models attention
              sfumato bench --json > before.json; sfumato bench --compare before.json
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
