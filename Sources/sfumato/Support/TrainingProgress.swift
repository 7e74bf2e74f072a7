import Metrics
import Recipes
import Synchronization
import Training

/// Shows a training on the terminal.
final class TrainingProgress: Sendable {
    private let total: Int
    private let state = Mutex<State>(State())

    private struct State {
        var line: ProgressLine?
        var loss = ""
    }

    init(total: Int) { self.total = total }

    func begin(at step: Int, parameterCount: Int, folder: String) {
        let start = step > 0 ? ", going on from step \(step)" : ""
        Terminal.note("\(TextTable.grouped(parameterCount)) parameters, into \(folder)\(start)")
        let total = total
        state.withLock { $0.line = ProgressLine("step", total: total, done: step, unit: "steps") }
    }

    func show(_ event: TrainingRun.Event) {
        switch event {
        case .step: state.withLock { $0.line?.advance(detail: $0.loss) }
        case .logged(let step, let loss, let rate):
            let text =
                "loss \(TextTable.fixed(loss, digits: 4))  \(ProgressMeter.text(ofRate: rate)) images/s"
            state.withLock { $0.loss = text }
            Terminal.note("step \(step)  \(text)")
        case .saved(let path): Terminal.note("saved \(path)")
        case .sampled(let path): Terminal.note("sampled \(path)")
        case .evaluated(let step, let report):
            let scores = report.rows.map { "\($0.metric) \(EvaluationReport.formatted($0.value))" }
            Terminal.note("step \(step)  \(scores.joined(separator: "  "))")
        case .validated(let step, let scores):
            let text = scores.sorted { $0.key < $1.key }.map {
                "\($0.key) \(TextTable.fixed($0.value, digits: 3)) dB"
            }
            Terminal.note("step \(step)  " + text.joined(separator: "  "))
        case .skipped(let image): Terminal.warning("\(image); another image takes its place")
        case .damaged(let problem): Terminal.warning("\(problem); the state before it is used")
        }
    }

    func end() { Terminal.endStatus() }
}
