import ArgumentParser
import Checkpoints
import Metrics
import Recipes

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score samples against real images.",
        discussion: """
            Examples:
              sfumato evaluate outputs/samples --against ../shared/data/cifar10/train.zip
              sfumato evaluate samples.npz --against configs/cifar10-dico.yaml --metrics fd-wm,lsd --json

            Beside each value stands what real images score that were held out of the reference, as many as there are \
            samples: the value of a perfect model. Metrics: \(Evaluation.metrics.joined(separator: ", ")). None of them is \
            FID, which needs Inception's weights.
            """)

    @Argument(help: "A folder, zip or npz of images.", completion: .file())
    var samples: String
    @Option(help: "Real images: a folder, zip or npz, or a file of configs/ whose data is taken.")
    var against: String
    @Option(help: "Real images that are not in --against (default: some are taken out of it).")
    var heldOut: String?
    @Option(
        help: "Only these, separated by commas.", transform: { $0.split(separator: ",").map(String.init) })
    var metrics: [String] = []
    @Option(help: "At most so many reference images.")
    var limit = 10_000
    @Flag(help: "Print the result as JSON.")
    var json = false
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        if limit < 2 { throw ValidationError("--limit must be at least 2, found \(limit).") }
    }

    func run() throws {
        compute.apply()
        let evaluation = try Evaluation(
            samples: samples, against: against, heldOut: heldOut, metrics: metrics, limit: limit)
        var progress = ProgressLine("measuring", total: evaluation.imageCount, unit: "images")
        let report = try evaluation.report { progress.advance(by: $0) }
        progress.end()
        for warning in evaluation.warnings + report.warnings { Terminal.warning(warning) }
        if json {
            report.json.printLine()
        } else {
            print(metrics.isEmpty ? report.text : table(report))
        }
    }

    private func table(_ report: EvaluationReport) -> String {
        var table = TextTable(["metric", "samples", "held-out real"])
        for row in metrics.compactMap({ report[$0] }) {
            table.add([
                row.metric, TextTable.fixed(row.value, digits: 4),
                row.heldOut.map { TextTable.fixed($0, digits: 4) } ?? "",
            ])
        }
        return table.text
    }
}
