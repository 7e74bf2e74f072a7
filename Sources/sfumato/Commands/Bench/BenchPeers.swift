import Archives
import ArgumentParser
import Checkpoints
import Recipes

struct BenchPeers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "What Benchmarks/peers/compare runs: jobs that PyTorch does as well.",
        discussion: """
            Examples:
              sfumato bench peers --list
              sfumato bench peers --export outputs/peers
              sfumato bench peers dico-s-forward --json
            """)

    @Argument(help: "Jobs by name; all of them without any.")
    var names: [String] = []
    @Option(
        help: "Instead of timing, write weights, inputs and results of each job into this folder.",
        completion: .directory)
    var export: String?
    @Flag(help: "Print the jobs' names, and end.")
    var list = false
    @Flag(help: "Print a line of JSON for each job.")
    var json = false
    @OptionGroup var compute: ThreadOptions

    func run() throws {
        compute.apply()
        let jobs = try wanted()
        if list { return jobs.forEach { print($0.name) } }
        if let export {
            try makeFolder(export)
            for job in jobs { print(try job.export(to: export)) }
            return
        }
        var timings: [PeerTiming] = []
        for job in jobs {
            Terminal.status(job.name)
            timings.append(try job.time())
        }
        Terminal.endStatus()
        json ? timings.forEach { $0.json.printLine() } : print(PeerTiming.text(timings))
    }

    private func wanted() throws -> [PeerJob] {
        let all = try PeerJob.all()
        return try names.isEmpty
            ? all
            : names.map { name in
                if let job = all.first(where: { $0.name == name }) { return job }
                let known = all.map(\.name)
                let hint = nearestName(to: name, in: known).map { "did you mean \"\($0)\"?" }
                throw BenchmarkError(
                    "there is no job \"\(name)\"; " + (hint ?? "known are " + known.joined(separator: ", ")))
            }
    }
}
