import Checkpoints
import Foundation
import Images
import Metrics
import Training

/// What a run writes on the way: JSON lines, and TensorBoard events where wanted.
struct TrainingLog {
    private let lines: JSONLinesLog
    private let events: EventFile?

    init(_ folder: RunFolder, writesEvents: Bool) throws {
        lines = try JSONLinesLog(path: folder.logPath)
        events =
            writesEvents
            ? try EventFile(
                folder: folder.path, wallTime: Self.now,
                unique: "\(ProcessInfo.processInfo.processIdentifier)") : nil
    }

    /// Seconds since 1970.
    private static var now: Double { Date().timeIntervalSince1970 }

    func append(_ record: LogRecord, step: Int) throws {
        try lines.append(record.members.merging(["step": .integer(step), "time": .number(Self.now)]) { $1 })
        for (name, value) in record.members.sorted(by: { $0.key < $1.key }) {
            try events?.add("train/\(name)", Float(value.number ?? 0), step: step, wallTime: Self.now)
        }
    }

    /// Scores, under the metrics' names: a line of their own, and `evaluate/…` in TensorBoard.
    func append(_ scores: EvaluationReport, step: Int) throws {
        let values = Dictionary(scores.rows.map { ($0.metric, JSONValue.number($0.value)) }) { $1 }
        try lines.append([
            "step": .integer(step), "time": .number(Self.now), "evaluate": .object(values),
            "samples": .integer(scores.sampleCount),
            "reference": scores.referenceCount.map { .integer($0) } ?? .null,
        ])
        for row in scores.rows {
            try events?.add("evaluate/\(row.metric)", Float(row.value), step: step, wallTime: Self.now)
        }
    }

    /// - Parameter scores: in dB, by what was scored.
    func append(validation scores: [String: Double], step: Int) throws {
        let members = scores.mapValues(JSONValue.number)
        try lines.append(["validation": .object(members), "step": .integer(step), "time": .number(Self.now)])
        for (name, value) in scores.sorted(by: { $0.key < $1.key }) {
            try events?.add("validation/\(name)", Float(value), step: step, wallTime: Self.now)
        }
    }

    func append(_ image: Image, step: Int) throws {
        try events?.add(
            "samples", png: try image.pngBytes(), width: image.width, height: image.height,
            channels: image.channels, step: step, wallTime: Self.now)
    }
}

/// Means over the steps since the line before.
struct LogRecord {
    var loss: Double
    var parts: [String: Double]
    var gradientNorm: Double
    var learningRate: Double
    var imagesPerSecond: Double

    var members: [String: JSONValue] {
        var members = parts.mapValues(JSONValue.number)
        members["loss"] = .number(loss)
        members["gradientNorm"] = .number(gradientNorm)
        members["learningRate"] = .number(learningRate)
        members["imagesPerSecond"] = .number(imagesPerSecond)
        return members
    }
}

/// Gathers steps into one record.
struct LogWindow {
    private var start: ContinuousClock.Instant
    private var reports: [StepReport] = []

    init(start: ContinuousClock.Instant) { self.start = start }

    mutating func add(_ report: StepReport) { reports.append(report) }

    /// Leaves out of the rate what happened up to `instant`, when a window has just been closed.
    mutating func skip(to instant: ContinuousClock.Instant) { if reports.isEmpty { start = instant } }

    mutating func close(at instant: ContinuousClock.Instant) -> LogRecord {
        let count = Double(max(1, reports.count))
        let seconds = max((instant - start) / .seconds(1), 1e-9)
        let images = reports.reduce(0) { $0 + $1.imageCount }
        var parts: [String: Double] = [:]
        for report in reports { parts.merge(report.parts.mapValues { $0 / count }, uniquingKeysWith: +) }
        let record = LogRecord(
            loss: reports.reduce(0) { $0 + $1.loss } / count, parts: parts,
            gradientNorm: reports.reduce(0) { $0 + $1.gradientNorm } / count,
            learningRate: reports.last?.learningRate ?? 0, imagesPerSecond: Double(images) / seconds)
        reports = []
        start = instant
        return record
    }
}
