import Archives
import Checkpoints

/// The outcome of checking one file, for people and for programs.
public struct VerificationReport: Sendable {
    public enum Outcome: Sendable {
        case compared(VerificationResult)
        /// No family rebuilds this kind; says which kind it is.
        case unsupported(String)
        /// The file, or the case in it, is damaged; says how.
        case unreadable(String)
    }

    public var path: String
    public var outcome: Outcome

    public init(path: String, outcome: Outcome) {
        self.path = path
        self.outcome = outcome
    }

    public var name: String { splitPath(path).name }

    public var passes: Bool {
        if case .compared(let result) = outcome { result.passes } else { false }
    }

    /// One line: the case, its worst errors beside their tolerances, and the verdict.
    public var line: String {
        switch outcome {
        case .compared(let result):
            var parts = [result.passes ? "pass" : "FAIL", name]
            if let worst = result.worstOutput { parts.append("outputs \(Self.text(worst))") }
            if let worst = result.worstGradient { parts.append("gradients \(Self.text(worst))") }
            if result.items.isEmpty { parts.append("nothing to compare") }
            if !result.passes, let worst = result.worst { parts.append("worst \(worst.comparison)") }
            return parts.joined(separator: "  ")
        case .unsupported(let kind): return "FAIL  \(name)  not supported: \(kind)"
        case .unreadable(let problem): return "FAIL  \(name)  \(problem)"
        }
    }

    /// The same for a program.
    public var json: JSONValue {
        var members: [String: JSONValue] = ["file": .string(path), "passes": .bool(passes)]
        switch outcome {
        case .compared(let result):
            members["status"] = "compared"
            members["outputs"] = .array(result.outputs.map(Self.json))
            members["gradients"] = .array(result.gradients.map(Self.json))
        case .unsupported(let kind):
            members["status"] = "not supported"
            members["problem"] = .string(kind)
        case .unreadable(let problem):
            members["status"] = "unreadable"
            members["problem"] = .string(problem)
        }
        return .object(members)
    }

    private static func text(_ item: VerificationResult.Item) -> String {
        "\(Comparison.short(item.comparison.error)) (≤ \(Comparison.short(item.tolerance)))"
    }

    private static func json(_ item: VerificationResult.Item) -> JSONValue {
        [
            "name": .string(item.comparison.name), "error": .number(item.comparison.error),
            "tolerance": .number(item.tolerance),
        ]
    }
}

extension VerificationReport {
    /// The closing line of a run over several files.
    public static func summary(_ reports: [VerificationReport]) -> String {
        let passed = reports.filter(\.passes).count
        let unsupported = reports.filter { if case .unsupported = $0.outcome { true } else { false } }.count
        var text = "\(passed) of \(reports.count) pass"
        if passed < reports.count { text += ", \(reports.count - passed) fail" }
        if unsupported > 0 { text += " (\(unsupported) not supported)" }
        return text
    }
}
