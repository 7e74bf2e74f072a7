import Archives
import ArgumentParser
import Checkpoints
import Images
import Recipes

struct BenchScaling: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scaling",
        abstract: "Time against batch, resolution, threads and tokens; some minutes.",
        discussion: """
            Examples:
              sfumato bench scaling --plots outputs/scaling
              sfumato bench scaling tokens --json

            Growth is the power of the work with which time grew from the line above: 1 where twice the work takes \
            twice the time. Lines that grow faster than their mathematics are marked.
            """)

    @Argument(help: "What to measure: \(ScalingAxis.names). All of them without any.")
    var axes: [ScalingAxis] = []
    @Option(help: "Draw a plot of each into this folder.", completion: .directory)
    var plots: String?
    @Option(help: "Leave out sizes above this.")
    var largest: Int?
    @Flag(help: "Print the result as JSON.")
    var json = false
    @OptionGroup var compute: ThreadOptions

    func validate() throws {
        if let largest, largest < 1 {
            throw ValidationError("--largest must be at least 1, found \(largest).")
        }
    }

    func run() throws {
        compute.apply()
        let benchmark = try ScalingBenchmark(
            axes: axes, recipe: try ProjectFiles.recipe("cifar10-dico"), largest: largest ?? .max)
        // Found out before the minutes that the measurement takes.
        if let plots { try makeFolder(plots) }
        let results = try benchmark.run { Terminal.status($0) }
        Terminal.endStatus()
        for plot in plots == nil ? [] : results.plots {
            try plot.image.write(to: joinPath(plots ?? "", "\(plot.name).png"))
        }
        json ? results.json.printLine() : print(results.text)
    }
}

extension ScalingAxis: ExpressibleByArgument {
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
