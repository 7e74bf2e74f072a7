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
        var byStep: [Int: Double] = [:]
        for (step, record) in try RunRecords(folder).lines {
            byStep[step] = record["loss"]?.number ?? byStep[step]
        }
        guard !byStep.isEmpty else {
            throw TrainingError(
                "\(RunFolder(path: folder).logPath): holds no loss yet; the first line comes after log.every steps"
            )
        }
        let ordered = byStep.sorted { $0.key < $1.key }
        steps = ordered.map { Double($0.key) }
        losses = ordered.map(\.value)
    }

    /// The logged means, and an exponential mean that forgets over a fortieth of the run; beside other runs, the latter of
    /// each alone.
    /// - Parameter others: runs by name.
    public func image(title: String, beside others: [(name: String, plot: LossPlot)] = []) -> Image {
        let isAlone = others.isEmpty
        var plot = LinePlot(title: isAlone ? title : "", xLabel: "step", yLabel: "loss")
        // Losses in decibels are negative.
        if ([self] + others.map(\.plot)).allSatisfy({ $0.losses.allSatisfy { $0 > 0 } }) {
            plot.yScale = .logarithmic
        }
        if isAlone { plot.add("logged", x: steps, y: losses, color: SIMD3(190, 205, 225)) }
        plot.add(isAlone ? "smoothed" : title, x: steps, y: smoothed, color: SIMD3(30, 80, 160))
        for other in others { plot.add(other.name, x: other.plot.steps, y: other.plot.smoothed) }
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

/// The PSNR of a denoiser's validation over the steps of its run, from the run's `log.jsonl`.
public struct PSNRPlot: Sendable {
    /// One curve for each level of noise that was scored.
    public struct Curve: Sendable, Hashable {
        /// As the log has it: `psnr@25`.
        public let name: String
        public let steps: [Double]
        /// Decibels.
        public let values: [Double]
    }

    public let curves: [Curve]

    /// - Parameter folder: a run's folder. Steps that a resumed run scored again count once, the later line wins.
    /// - Throws: `FileError` when there is no log, `TrainingError` when no line of it holds a score.
    public init(runFolder folder: String) throws {
        var scores: [String: [Int: Double]] = [:]
        for (step, record) in try RunRecords(folder).lines {
            for (name, value) in record["validation"]?.object ?? [:] {
                scores[name, default: [:]][step] = value.number
            }
        }
        guard !scores.isEmpty else {
            throw TrainingError(
                "\(RunFolder(path: folder).logPath): holds no PSNR yet; runs of denoisers log it every validation.every steps"
            )
        }
        curves = scores.sorted { $0.key.localizedStandardCompare($1.key) == .orderedAscending }.map {
            name, byStep in
            let ordered = byStep.sorted { $0.key < $1.key }
            return Curve(name: name, steps: ordered.map { Double($0.key) }, values: ordered.map(\.value))
        }
    }

    public func image(title: String) -> Image {
        var plot = LinePlot(title: title, xLabel: "step", yLabel: "PSNR, dB")
        for curve in curves {
            // "psnr@25" is the level σ 25.
            let name = curve.name.split(separator: "@").dropFirst().first.map { "sigma \($0)" } ?? curve.name
            plot.add(name, x: curve.steps, y: curve.values, showsPoints: curve.steps.count <= 40)
        }
        return plot.image()
    }
}

/// The lines of a run's log that tell their step.
private struct RunRecords {
    let lines: [(step: Int, record: JSONValue)]

    init(_ folder: String) throws {
        let path = RunFolder(path: folder).logPath
        let text = String(decoding: try MappedFile(path: path).slice.array, as: UTF8.self)
        // A line that a kill cut short is no JSON; the ones around it are.
        lines = text.split(separator: "\n").compactMap { line in
            guard let record = try? JSONValue(parsing: String(line)), let step = record["step"]?.integer
            else {
                return nil
            }
            return (step, record)
        }
    }
}
