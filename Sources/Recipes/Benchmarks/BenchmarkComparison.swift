import Archives
import Checkpoints

/// A run of the benchmark beside an earlier one of the same machine or another.
///
/// Times differ between machines and hours; shares of the peak, which either run measured for itself, compare.
public struct BenchmarkComparison: Sendable {
    private struct Earlier {
        var milliseconds: Double
        var share: Double
    }

    private let path: String
    private let earlier: [String: Earlier]

    /// - Parameter path: what `sfumato bench --json` printed.
    /// - Throws: errors of reading the file; `BenchmarkError` when it is no result of the benchmark.
    public init(path: String) throws {
        let failure = BenchmarkError("\(path): is no result of sfumato bench --json")
        let contents = try MappedFile(path: path).withBytes { try? JSONValue(parsing: $0) }
        guard let cases = contents?["cases"]?.array else { throw failure }
        var earlier: [String: Earlier] = [:]
        for entry in cases {
            guard let name = entry["name"]?.string, let milliseconds = entry["milliseconds"]?.number,
                let share = entry["shareOfPeak"]?.number
            else { throw failure }
            earlier[name] = Earlier(milliseconds: milliseconds, share: share)
        }
        (self.path, self.earlier) = (path, earlier)
    }

    /// Both runs, case by case; cases that only one of them has are left out.
    public func text(_ results: BenchmarkResults) -> String {
        var table = TextTable(["case", "ms before", "ms now", "times as fast", "of peak before", "now"])
        for row in results.rows {
            guard let before = earlier[row.name] else { continue }
            table.add([
                row.name, TextTable.fixed(before.milliseconds, digits: 1),
                TextTable.fixed(row.milliseconds, digits: 1),
                TextTable.fixed(before.milliseconds / row.milliseconds, digits: 2),
                TextTable.fixed(100 * before.share, digits: 1) + " %",
                TextTable.fixed(100 * row.share, digits: 1) + " %",
            ])
        }
        return "compared with \(path)\n" + table.text
    }
}

/// A benchmark that cannot be made as asked.
public struct BenchmarkError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
