/// Settings as they were written: a tree of texts that remembers where each part stands.
public struct SettingsNode: Sendable, Hashable {
    public enum Value: Sendable, Hashable {
        /// A number, a truth value, a text or nothing; `isPlain` when it was written without quotes.
        case scalar(String, isPlain: Bool)
        case list([SettingsNode])
        case mapping([Entry])
    }

    /// A key and its value.
    public struct Entry: Sendable, Hashable {
        public var key: String
        public var value: SettingsNode
        /// Where the key stands, as `configs/a.yaml:3` or `--set optimizer.lr=1`.
        public var origin: String
    }

    public var value: Value
    public var origin: String

    public init(_ value: Value, origin: String) {
        self.value = value
        self.origin = origin
    }

    static func plain(_ text: String, origin: String = "defaults") -> SettingsNode {
        SettingsNode(.scalar(text, isPlain: true), origin: origin)
    }

    static func quoted(_ text: String, origin: String = "defaults") -> SettingsNode {
        SettingsNode(.scalar(text, isPlain: false), origin: origin)
    }

    var entries: [Entry]? { if case .mapping(let entries) = value { entries } else { nil } }
    var list: [SettingsNode]? { if case .list(let items) = value { items } else { nil } }

    /// The entry of a mapping; nil when it is absent or this is no mapping.
    func entry(_ key: String) -> Entry? { entries?.first { $0.key == key } }

    /// The node at a path of keys.
    public subscript(path: String) -> SettingsNode? {
        path.split(separator: ".").reduce(self as SettingsNode?) { $0?.entry(String($1))?.value }
    }

    /// Puts `node` under a path of keys, making the mappings on the way that are not there yet.
    mutating func set(_ path: ArraySlice<String>, to node: SettingsNode) {
        guard let key = path.first else {
            self = node
            return
        }
        var entries = expandedEntries ?? []
        let index = entries.firstIndex { $0.key == key }
        var child = index.map { entries[$0].value } ?? SettingsNode(.mapping([]), origin: node.origin)
        child.set(path.dropFirst(), to: node)
        if let index {
            entries[index].value = child
            if path.count == 1 { entries[index].origin = node.origin }
        } else {
            entries.append(Entry(key: key, value: child, origin: node.origin))
        }
        value = .mapping(entries)
    }

    /// The entries of a mapping, or those that the short form `schedule: cosine` stands for.
    private var expandedEntries: [Entry]? {
        if case .scalar = value, let text, !isNothing {
            return [Entry(key: "kind", value: .quoted(text, origin: origin), origin: origin)]
        }
        return entries
    }
}

/// What a scalar says.
extension SettingsNode {
    var isNothing: Bool {
        if case .scalar(let text, true) = value {
            ["", "~", "null", "Null", "NULL"].contains(text)
        } else {
            false
        }
    }

    var bool: Bool? {
        guard case .scalar(let text, true) = value else { return nil }
        return switch text {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }

    var number: Double? {
        guard case .scalar(let text, true) = value else { return nil }
        switch text {
        case ".inf", "+.inf", ".Inf", "Infinity": return .infinity
        case "-.inf", "-.Inf", "-Infinity": return -.infinity
        case ".nan", ".NaN", "NaN": return .nan
        default: break
        }
        guard let first = text.utf8.first,
            first == 43 || first == 45 || first == 46 || (48...57).contains(first)
        else { return nil }
        return Double(text.filter { $0 != "_" })
    }

    /// A whole number, also one written as 1_000 or 5e4.
    var integer: Int? {
        guard case .scalar(let text, true) = value else { return nil }
        return Int(text.filter { $0 != "_" }) ?? number.flatMap(Int.init(exactly:))
    }

    var text: String? { if case .scalar(let text, _) = value { text } else { nil } }

    /// What was found, in an error.
    var description: String {
        switch value {
        case .mapping: return "a group of settings"
        case .list(let items): return "a list of \(items.count)"
        case .scalar(let text, _):
            if isNothing { return "nothing" }
            return bool != nil || number != nil ? text : "\"\(text)\""
        }
    }
}

extension SettingsNode {
    /// What differs between two trees, as `batchSize (64, now 128)`.
    static func differences(_ old: SettingsNode?, _ new: SettingsNode?, path: String = "") -> [String] {
        let (before, after) = (old?.entries, new?.entries)
        if before != nil || after != nil {
            var keys = (before ?? []).map(\.key)
            keys += (after ?? []).map(\.key).filter { !keys.contains($0) }
            return keys.flatMap { key in
                differences(
                    old?.entry(key)?.value, new?.entry(key)?.value,
                    path: path.isEmpty ? key : path + "." + key)
            }
        }
        guard old?.value != new?.value else { return [] }
        return ["\(path) (\(old?.json.text ?? "absent"), now \(new?.json.text ?? "absent"))"]
    }
}
