import Checkpoints

extension EvaluationReport {
    /// A table for people.
    public var text: String {
        let reference = referenceCount.map(String.init) ?? "of unknown count"
        var lines = [
            "samples \(sampleCount), reference \(reference), held out \(heldOutCount.map(String.init) ?? "none")"
        ]
        let header = ["metric", "samples", "", heldOutCount == nil ? "" : "held-out real", "method"]
        let table =
            [header]
            + rows.map {
                [
                    $0.metric, Self.number($0.value), $0.deviation.map { "± " + Self.number($0) } ?? "",
                    $0.heldOut.map(Self.number) ?? "", $0.method,
                ]
            }
        lines += Self.aligned(table)
        if !bands.isEmpty {
            lines += [
                "", "power of the samples against the reference, by spatial frequency (cycles per side)",
            ]
            lines += Self.aligned(
                bands.map { band in
                    let range =
                        band.frequencies.count == 1
                        ? "\(band.frequencies.lowerBound)"
                        : "\(band.frequencies.lowerBound)–\(band.frequencies.upperBound)"
                    return [
                        range, (band.decibels < 0 ? "" : "+") + Self.fixed(band.decibels, digits: 2) + " dB",
                    ]
                })
        }
        if let neighbours { lines += [""] + neighbours.lines }
        if let inception {
            lines += ["", "inception: weights \(inception.digest.prefix(12)), mode \(inception.mode)"]
        }
        for fact in facts { lines.append("\(fact.name): \(fact.value)") }
        if let featuresDigest { lines += ["", "features: FeatNet-32, weights \(featuresDigest.prefix(12))"] }
        return lines.joined(separator: "\n")
    }

    /// The same for programs.
    public var json: JSONValue {
        [
            "samples": .integer(sampleCount), "reference": referenceCount.map { .integer($0) } ?? .null,
            "inceptionDigest": inception.map { .string($0.digest) } ?? .null,
            "inceptionMode": inception.map { .string($0.mode) } ?? .null,
            "facts": .object(Dictionary(facts.map { ($0.name, .string($0.value)) }) { $1 }),
            "neighbours": neighbours?.json ?? .null,
            "heldOut": heldOutCount.map { .integer($0) } ?? .null,
            "featuresDigest": featuresDigest.map { .string($0) } ?? .null,
            "metrics": .array(
                rows.map { row in
                    [
                        "name": .string(row.metric), "value": .number(row.value),
                        "deviation": row.deviation.map { .number($0) } ?? .null,
                        "heldOut": row.heldOut.map { .number($0) } ?? .null, "method": .string(row.method),
                    ]
                }),
            "bands": .array(
                bands.map { band in
                    [
                        "from": .integer(band.frequencies.lowerBound),
                        "to": .integer(band.frequencies.upperBound),
                        "decibels": .number(band.decibels),
                    ]
                }),
            "warnings": .array(warnings.map { .string($0) }),
        ]
    }

    /// Four significant digits.
    public static func formatted(_ value: Double) -> String { number(value) }

    static func number(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
        let magnitude = abs(value)
        if magnitude < 1e-4 || magnitude >= 1e6 { return Comparison.short(value) }
        return fixed(
            value,
            digits: magnitude >= 1000
                ? 0 : magnitude >= 100 ? 1 : magnitude >= 10 ? 2 : magnitude >= 1 ? 3 : 4)
    }

    static func fixed(_ value: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let rounded = (abs(value) * scale).rounded()
        let whole = Int(rounded / scale)
        let sign = value < 0 && rounded > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let rest = String(Int(rounded - Double(whole) * scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }

    private static func aligned(_ table: [[String]]) -> [String] {
        let columns = table.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            table.compactMap { $0.count > column ? $0[column].count : nil }.max() ?? 0
        }
        return table.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return cells.joined(separator: "  ")
        }
    }
}
