import Checkpoints

/// Times the machine and the models on it.
public struct Benchmark: Sendable {
    /// One timed case.
    public struct Row: Sendable {
        public var name: String
        public var milliseconds: Double
        public var gigaflops: Double
    }

    public struct Results: Sendable {
        public var threads: Int
        public var peakGigaflops: Double
        public var rows: [Row]
    }

    public let configs: [TrainingConfiguration]

    /// - Parameter configs: files of `configs/`; empty for the project's standard cases.
    public init(configs: [String]) throws {
        self.configs = try configs.map { try TrainingConfiguration(file: $0) }
    }

    /// - Parameter status: told what is being timed.
    public func run(status: (String) -> Void) throws -> Results {
        Results(threads: 0, peakGigaflops: 0, rows: [])
    }
}

extension Benchmark.Results {
    public var text: String {
        var table = TextTable(["case", "ms", "GFLOP/s", "of peak"])
        table.add([
            "matrix product, \(threads) threads", "", TextTable.fixed(peakGigaflops, digits: 1), "100 %",
        ])
        for row in rows {
            table.add([
                row.name, TextTable.fixed(row.milliseconds, digits: 1),
                TextTable.fixed(row.gigaflops, digits: 1),
                TextTable.fixed(100 * row.gigaflops / max(peakGigaflops, 1e-9), digits: 1) + " %",
            ])
        }
        return table.text
    }

    public var json: JSONValue {
        [
            "threads": .integer(threads), "peakGigaflops": .number(peakGigaflops),
            "cases": .array(
                rows.map {
                    [
                        "name": .string($0.name), "milliseconds": .number($0.milliseconds),
                        "gigaflops": .number($0.gigaflops),
                    ]
                }),
        ]
    }
}
