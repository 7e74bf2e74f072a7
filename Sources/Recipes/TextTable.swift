/// Columns for a terminal: the first to the left, numbers to the right.
public struct TextTable: Sendable {
    private var rows: [[String]]

    public init(_ header: [String]) { rows = [header] }

    public mutating func add(_ row: [String]) { rows.append(row) }

    public var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }

    /// 33137672 as 33,137,672.
    public static func grouped(_ number: Int) -> String {
        var result = ""
        for (index, digit) in String(abs(number)).reversed().enumerated() {
            if index > 0, index % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return (number < 0 ? "-" : "") + String(result.reversed())
    }

    /// Three digits and a prefix: 4.24 G.
    public static func scaled(_ number: Int) -> String {
        var (value, unit) = (Double(number), 0)
        while value >= 999.5, unit < 4 { (value, unit) = (value / 1000, unit + 1) }
        return fixed(value, digits: unit == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2) + " "
            + ["", "k", "M", "G", "T"][unit]
    }

    /// Mebibytes and the like.
    public static func bytes(_ count: Int) -> String {
        var (value, unit) = (Double(count), 0)
        while value >= 1000, unit < 4 { (value, unit) = (value / 1024, unit + 1) }
        return fixed(value, digits: unit == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2) + " "
            + ["B", "KiB", "MiB", "GiB", "TiB"][unit]
    }

    public static func percent(_ part: Int, of whole: Int) -> String {
        fixed(whole == 0 ? 0 : 100 * Double(part) / Double(whole), digits: 1) + " %"
    }

    /// A number with so many decimals.
    public static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let rounded = (abs(value) * scale).rounded()
        let whole = (rounded / scale).rounded(.down)
        let sign = value < 0 && rounded > 0 ? "-" : ""
        guard digits > 0 else { return sign + "\(Int(whole))" }
        let rest = String(Int(rounded - whole * scale))
        return sign + "\(Int(whole))." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
