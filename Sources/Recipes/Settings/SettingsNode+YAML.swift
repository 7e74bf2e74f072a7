import Archives
import Checkpoints
import Foundation
import Yams

extension SettingsNode {
    /// Reads a YAML (or JSON) file.
    /// - Throws: `FileError` when it cannot be read, `SettingsError` when it is not YAML or no mapping of settings.
    public init(yamlFile path: String) throws {
        let bytes = try MappedFile(path: path).slice.withBytes { Array($0) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError(origin: path, problem: "is not text in UTF-8, so it is no settings file")
        }
        try self.init(yaml: text, name: path)
        guard entries != nil else {
            throw SettingsError(
                origin: path, problem: "holds \(description) where settings (key: value) are needed")
        }
    }

    /// - Parameter name: what errors call the text; line numbers follow it when `hasLines`.
    public init(yaml: String, name: String, hasLines: Bool = true) throws {
        do {
            guard let node = try Yams.compose(yaml: yaml) else {
                self.init(.mapping([]), origin: name)
                return
            }
            try self.init(node, name: name, hasLines: hasLines)
        } catch let error as YamlError {
            throw SettingsError(yamlError: error, name: name, hasLines: hasLines)
        }
    }

    private init(_ node: Node, name: String, hasLines: Bool) throws {
        let origin = Self.origin(node.mark, name, hasLines)
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            self.init(.scalar(scalar.string, isPlain: isPlain), origin: origin)
        case .sequence(let items):
            self.init(
                .list(try items.map { try SettingsNode($0, name: name, hasLines: hasLines) }), origin: origin)
        case .mapping(let pairs):
            let entries = try pairs.map { key, value in
                let place = Self.origin(key.mark, name, hasLines)
                guard case .scalar(let text) = key else {
                    throw SettingsError(origin: place, problem: "a key must be a plain word")
                }
                return Entry(
                    key: text.string, value: try SettingsNode(value, name: name, hasLines: hasLines),
                    origin: place)
            }
            self.init(.mapping(entries), origin: origin)
        case .alias:
            throw SettingsError(origin: origin, problem: "aliases (*name) are not read; write the value out")
        }
    }

    private static func origin(_ mark: Mark?, _ name: String, _ hasLines: Bool) -> String {
        guard hasLines, let mark else { return name }
        return "\(name):\(mark.line)"
    }
}

extension SettingsNode {
    /// The tree as YAML, one setting a line, short lists in brackets.
    public var yaml: String {
        var result = ""
        writeYAML(to: &result, indent: "")
        return result
    }

    private func writeYAML(to result: inout String, indent: String) {
        guard let entries else {
            result += "\(indent)\(inline)\n"
            return
        }
        for entry in entries {
            if case .mapping(let inner) = entry.value.value, !inner.isEmpty {
                result += "\(indent)\(entry.key):\n"
                entry.value.writeYAML(to: &result, indent: indent + "  ")
            } else {
                result += "\(indent)\(entry.key): \(entry.value.inline)\n"
            }
        }
    }

    private var inline: String {
        switch value {
        case .scalar(let text, let isPlain):
            return isPlain || !Self.needsQuotes(text) ? text : Self.quote(text)
        case .list(let items): return "[" + items.map(\.inline).joined(separator: ", ") + "]"
        case .mapping(let entries):
            return "{" + entries.map { "\($0.key): \($0.value.inline)" }.joined(separator: ", ") + "}"
        }
    }

    private static func needsQuotes(_ text: String) -> Bool {
        let node = SettingsNode.plain(text)
        let isSafe = text.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || (48...57).contains($0.value) || "_-./+ ".unicodeScalars.contains($0)
        }
        let hasEdge = text.hasPrefix(" ") || text.hasSuffix(" ") || text.hasPrefix("-")
        return !isSafe || hasEdge || node.isNothing || node.bool != nil || node.number != nil
    }

    private static func quote(_ text: String) -> String { JSONValue.string(text).text }

    /// The same values as JSON.
    public var json: JSONValue {
        switch value {
        case .list(let items): return .array(items.map(\.json))
        case .mapping(let entries):
            return .object(Dictionary(entries.map { ($0.key, $0.value.json) }) { _, last in last })
        case .scalar(let text, let isPlain):
            guard isPlain else { return .string(text) }
            if isNothing { return .null }
            if let bool { return .bool(bool) }
            if let whole = Int(text) { return .integer(whole) }
            if UInt64(text) != nil { return .string(text) }
            return number.map(JSONValue.number) ?? .string(text)
        }
    }
}
