import Checkpoints

extension Inspection {
    /// A report for people.
    public var text: String {
        var lines = [
            "model       \(subject.name)",
            "parameters  \(TextTable.grouped(parameterCount))",
            "operations  \(TextTable.scaled(multiplyAccumulates))MAC for \(size.width)×\(size.height), "
                + "\(TextTable.scaled(2 * multiplyAccumulates))FLOP",
            "memory      weights \(TextTable.bytes(weightBytes)) in float32, training \(TextTable.bytes(trainingBytes)) "
                + "and activations",
        ]
        if let fileBytes {
            lines.append(
                "file        \(TextTable.bytes(fileBytes))" + (digest.map { ", sha256 \($0)" } ?? ""))
        }
        lines += subject.facts(size)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key })
        where !["config", "format", "weights.sha256", "data", "notes", "random"].contains(key) {
            lines.append(key + String(repeating: " ", count: max(2, 12 - key.count)) + value)
        }
        return (lines + ["", table.text]).joined(separator: "\n")
    }

    private var table: TextTable {
        let hasFilters = stages.contains { $0.filters != nil }
        var table = TextTable(
            ["stage", "parameters", "share", "MAC", "share"]
                + (hasFilters ? ["rms", "largest", "filters", "dead"] : []))
        for stage in stages {
            var row = [
                stage.name, TextTable.grouped(stage.parameterCount),
                TextTable.percent(stage.parameterCount, of: parameterCount),
                TextTable.scaled(stage.multiplyAccumulates),
                TextTable.percent(stage.multiplyAccumulates, of: multiplyAccumulates),
            ]
            if let filters = stage.filters {
                row += [
                    Comparison.short(filters.rootMeanSquare), Comparison.short(filters.largest),
                    "\(filters.filterCount)", "\(filters.deadCount)",
                ]
            }
            table.add(row)
        }
        return table
    }

    /// The same for programs.
    public var json: JSONValue {
        [
            "source": .string(source), "model": .string(subject.name), "parameters": .integer(parameterCount),
            "multiplyAccumulates": .integer(multiplyAccumulates), "width": .integer(size.width),
            "height": .integer(size.height), "weightBytes": .integer(weightBytes),
            "trainingBytes": .integer(trainingBytes), "digest": digest.map { .string($0) } ?? .null,
            "config": subject.node.json,
            "stages": .array(stages.map(Self.json)),
        ]
    }

    private static func json(_ stage: Stage) -> JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(stage.name), "parameters": .integer(stage.parameterCount),
            "multiplyAccumulates": .integer(stage.multiplyAccumulates),
        ]
        if let filters = stage.filters {
            members["rootMeanSquare"] = .number(filters.rootMeanSquare)
            members["largest"] = .number(filters.largest)
            members["filters"] = .integer(filters.filterCount)
            members["dead"] = .integer(filters.deadCount)
        }
        return .object(members)
    }
}
