import Archives
import Checkpoints
import Foundation
import Images

/// The loss of a training run over its steps, from the run's `log.jsonl`.
public struct LossPlot: Sendable {
    public let steps: [Double]
    public let losses: [Double]

    /// - Parameter folder: a run's folder. Steps that a resumed run made again count once, the later line wins.
    /// - Throws: `FileError` when there is no log, `TrainingError` when no line of it holds a loss.
    public init(runFolder folder: String) throws {
        let path = RunFolder(path: folder).logPath
        let text = String(decoding: try MappedFile(path: path).slice.array, as: UTF8.self)
        var byStep: [Int: Double] = [:]
        for line in text.split(separator: "\n") {
            // A line that a kill cut short is no JSON; the ones around it are.
            guard let record = try? JSONValue(parsing: String(line)), let step = record["step"]?.integer,
                let loss = record["loss"]?.number
            else { continue }
            byStep[step] = loss
        }
        guard !byStep.isEmpty else {
            throw TrainingError("\(path): holds no loss yet; the first line comes after log.every steps")
        }
        let ordered = byStep.sorted { $0.key < $1.key }
        steps = ordered.map { Double($0.key) }
        losses = ordered.map(\.value)
    }

    /// The logged means, and an exponential mean that forgets over a fortieth of the run.
    public func image(title: String) -> Image {
        var plot = LinePlot(title: title, xLabel: "step", yLabel: "loss")
        plot.yScale = .logarithmic
        plot.add("logged", x: steps, y: losses, color: SIMD3(190, 205, 225))
        plot.add("smoothed", x: steps, y: smoothed, color: SIMD3(30, 80, 160))
        return plot.image()
    }

    private var smoothed: [Double] {
        let rate = 1 / max(1, Double(losses.count) / 40)
        var mean = losses.first ?? 0
        return losses.map { loss in
            mean += rate * (loss - mean)
            return mean
        }
    }
}
