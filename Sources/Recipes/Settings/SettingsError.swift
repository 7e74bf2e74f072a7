import Yams

/// A setting that cannot be used: where it stands, what is wrong, what to do.
public struct SettingsError: Error, CustomStringConvertible, Equatable {
    /// `configs/a.yaml:3`, or the option that gave the value.
    public var origin: String
    /// The path of keys, as in `optimizer.lr`; empty for a whole file.
    public var key: String
    /// Completes the sentence that the key begins.
    public var problem: String

    public init(origin: String, key: String = "", problem: String) {
        self.origin = origin
        self.key = key
        self.problem = problem
    }

    public var description: String { key.isEmpty ? "\(origin): \(problem)" : "\(origin): \(key) \(problem)" }
}

extension SettingsError {
    static func unknown(_ entry: SettingsNode.Entry, path: [String], known: [String]) -> SettingsError {
        let advice: String
        if let nearest = nearestName(to: entry.key, in: known) {
            advice = "did you mean \"\(nearest)\"?"
        } else if known.isEmpty {
            advice = "there are none here"
        } else {
            advice = "known here are \(known.sorted().joined(separator: ", "))"
        }
        return SettingsError(
            origin: entry.origin, key: (path + [entry.key]).joined(separator: "."),
            problem: "is no setting; \(advice)")
    }

    static func wrongType(_ node: SettingsNode, path: [String], expected: String) -> SettingsError {
        SettingsError(
            origin: node.origin, key: path.joined(separator: "."),
            problem: "must be \(expected), found \(node.description)")
    }

    static func choice(_ found: String, _ node: SettingsNode, path: [String], of choices: [String])
        -> SettingsError
    {
        let hint = nearestName(to: found, in: choices).map { "; did you mean \"\($0)\"?" } ?? ""
        return SettingsError(
            origin: node.origin, key: path.joined(separator: "."),
            problem: "must be one of \(choices.joined(separator: ", ")), found \"\(found)\"\(hint)")
    }

    /// What the YAML reader could not make sense of.
    init(yamlError: YamlError, name: String, hasLines: Bool) {
        func place(_ mark: Mark) -> String { hasLines ? "\(name):\(mark.line)" : name }
        switch yamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(origin: place(mark), problem: "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            self.init(
                origin: place(context.mark), key: keys.sorted().joined(separator: ", "),
                problem: "is given twice; keep one")
        default: self.init(origin: name, problem: "is not YAML: \(yamlError)")
        }
    }
}

/// The candidate that was probably meant: at most a third of its letters differ.
public func nearestName(to name: String, in candidates: [String]) -> String? {
    let (word, limit) = (Array(name.lowercased()), max(1, name.count / 3))
    return candidates.map { (candidate: $0, distance: editDistance(word, Array($0.lowercased()))) }
        .filter { $0.distance <= limit }
        .min { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }?.candidate
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
func editDistance(_ first: [Character], _ second: [Character]) -> Int {
    var rows = [Array(0...second.count)]
    for i in 0..<first.count {
        var row = [i + 1]
        for j in 0..<second.count {
            var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (first[i] == second[j] ? 0 : 1))
            if i > 0, j > 0, first[i] == second[j - 1], first[i - 1] == second[j] {
                best = min(best, rows[i - 1][j - 1] + 1)
            }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[first.count][second.count]
}
