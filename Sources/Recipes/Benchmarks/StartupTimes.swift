import Checkpoints

/// When started processes reached which point, in seconds from their start.
public struct StartupTimes: Sendable {
    public enum Milestone: String, Sendable, CaseIterable {
        /// The program's own code begins: libraries are loaded, arguments read.
        case main
        /// The checkpoint is read and checked, the network built.
        case loaded
        /// The first step of the solver is finished.
        case firstStep
    }

    private var runs: [[Milestone: Double]] = []

    public init() {}

    /// - Throws: `BenchmarkError` for a process that ended before its first step.
    public mutating func add(_ run: [Milestone: Double]) throws {
        guard let missing = Milestone.allCases.first(where: { run[$0] == nil }) else {
            return runs.append(run)
        }
        throw BenchmarkError("a process that was started ended before it told of \"\(missing.rawValue)\"")
    }

    public func median(_ milestone: Milestone) -> Double {
        Timing.median(runs.compactMap { $0[milestone] })
    }

    private func times(_ milestone: Milestone) -> [Double] { runs.compactMap { $0[milestone] } }

    public var text: String {
        var table = TextTable(["seconds from the start, \(runs.count) processes", "median", "least", "most"])
        for milestone in Milestone.allCases {
            let times = times(milestone)
            table.add(
                [milestone.description]
                    + [median(milestone), times.min() ?? .nan, times.max() ?? .nan].map {
                        TextTable.fixed($0, digits: 3)
                    })
        }
        return table.text
    }

    public var json: JSONValue {
        .object(
            Dictionary(
                uniqueKeysWithValues: Milestone.allCases.map {
                    ($0.rawValue, .array(times($0).map(JSONValue.number)))
                }))
    }
}

extension StartupTimes.Milestone: CustomStringConvertible {
    public var description: String {
        switch self {
        case .main: "the program's first line"
        case .loaded: "model loaded"
        case .firstStep: "first step finished"
        }
    }
}
