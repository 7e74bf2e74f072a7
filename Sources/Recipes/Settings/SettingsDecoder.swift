import Layers

/// Reads `Codable` values from a tree of settings, strictly.
///
/// Every keyed container records which keys it was asked for; a key of the tree that nobody asked for is an error.
final class SettingsDecoder: Decoder {
    /// What was written; nil where only the defaults speak.
    let node: SettingsNode?
    let defaults: SettingsNode?
    let path: [String]
    /// Keys asked for so far, in order.
    var asked: [String] = []
    /// Where this group stands when `node` is nil.
    let origin: String

    var codingPath: [any CodingKey] { path.map { SettingsKey($0) } }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(node: SettingsNode?, defaults: SettingsNode?, path: [String], origin: String) {
        self.node = node
        self.defaults = defaults
        self.path = path
        self.origin = node?.origin ?? origin
    }

    static func decode<T: Decodable>(_ type: T.Type, from node: SettingsNode) throws -> T {
        try value(type, node: node, defaults: nil, path: [], origin: node.origin)
    }

    /// Decodes a value from what was written and what is the default; one of the two is there.
    static func value<T: Decodable>(
        _ type: T.Type, node: SettingsNode?, defaults: SettingsNode?, path: [String], origin: String
    ) throws -> T {
        guard let source = node ?? defaults else {
            throw SettingsError(origin: origin, key: path.joined(separator: "."), problem: "is missing")
        }
        if let scalar = try SettingsScalar.read(type, from: source, path: path) { return scalar }
        if let choice = try choice(type, from: source, path: path) { return choice }
        let isTagged = type is any TaggedSettings.Type
        let written = isTagged ? node?.expandedKind : node
        try checkShape(type, written, path: path)
        let decoder = SettingsDecoder(
            node: written, defaults: merged(type, written: written, inherited: defaults, isTagged: isTagged),
            path: path, origin: origin)
        do {
            let result = try T(from: decoder)
            try decoder.finish(result)
            return result
        } catch let error as ConfigurationError {
            throw decoder.located(error)
        }
    }

    /// Which defaults a group has: its own under those of the group it stands in.
    private static func merged<T>(
        _ type: T.Type, written: SettingsNode?, inherited: SettingsNode?, isTagged: Bool
    ) -> SettingsNode? {
        if isTagged {
            // Of another kind's settings only the kind itself is a default.
            guard written != nil, let kind = inherited?.entry("kind") else { return inherited }
            return SettingsNode(.mapping([kind]), origin: "defaults")
        }
        return inherited ?? (type as? any Settings.Type)?.ownDefaults
    }

    private static func checkShape<T>(_ type: T.Type, _ node: SettingsNode?, path: [String]) throws {
        guard let node, type is any Settings.Type || type is any TaggedSettings.Type else { return }
        guard node.entries != nil else {
            throw SettingsError.wrongType(node, path: path, expected: "a group of settings (key: value)")
        }
    }

    private static func choice<T>(_ type: T.Type, from node: SettingsNode, path: [String]) throws -> T? {
        guard let cases = type as? any CaseIterable.Type, let all = texts(cases) else { return nil }
        guard let text = node.text, !node.isNothing else {
            throw SettingsError.wrongType(
                node, path: path, expected: "one of \(all.map(\.0).joined(separator: ", "))")
        }
        guard let found = all.first(where: { $0.0 == text })?.1 as? T else {
            throw SettingsError.choice(text, node, path: path, of: all.map(\.0))
        }
        return found
    }

    private static func texts<C: CaseIterable>(_ type: C.Type) -> [(String, Any)]? {
        var result: [(String, Any)] = []
        for value in type.allCases {
            guard let text = (value as? any RawRepresentable)?.rawValue as? String else { return nil }
            result.append((text, value))
        }
        return result
    }

    /// Complains about keys that nobody asked for, then about values that make no sense.
    private func finish<T>(_ value: T) throws {
        for entry in node?.entries ?? [] where !asked.contains(entry.key) {
            throw SettingsError.unknown(entry, path: path, known: asked)
        }
        try (value as? any Settings)?.validate()
    }

    private func located(_ error: ConfigurationError) -> SettingsError {
        var keys = error.field.split(separator: ".").map(String.init)
        // A group may name itself.
        if keys.count > 1, keys.first == path.last { keys.removeFirst() }
        var (place, current) = (origin, node)
        for key in keys {
            guard let entry = current?.entry(key) else { break }
            (place, current) = (entry.origin, entry.value)
        }
        return SettingsError(
            origin: place, key: (path + keys).joined(separator: "."), problem: "must be \(error.demand)")
    }

    /// A group whose keys stand beside those already asked for.
    func members<T: Settings>(_ type: T.Type, defaults explicit: T?) throws -> T {
        let defaults = node == nil ? self.defaults : (explicit.map(SettingsEncoder.encode) ?? T.ownDefaults)
        let decoder = SettingsDecoder(node: node, defaults: defaults, path: path, origin: origin)
        let result = try T(from: decoder)
        asked += decoder.asked
        try result.validate()
        return result
    }

    /// A group under a key, with defaults of its own.
    func member<T: Settings>(_ type: T.Type, under key: String, defaults own: T) throws -> T {
        if !asked.contains(key) { asked.append(key) }
        let entry = (node ?? defaults)?.entry(key)
        return try Self.value(
            type, node: entry?.value, defaults: T.optionalMembers(of: own), path: path + [key],
            origin: entry?.origin ?? origin)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(SettingsKeyedContainer<Key>(decoder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let source = node ?? defaults, let items = source.list else {
            throw SettingsError.wrongType(
                node ?? .plain("", origin: origin), path: path, expected: "a list, as in [1, 2]")
        }
        return SettingsUnkeyedContainer(decoder: self, items: items)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        SettingsSingleContainer(decoder: self)
    }
}

extension Settings {
    /// The defaults as a tree, without the keys that have none.
    static var ownDefaults: SettingsNode { optionalMembers(of: defaults) }

    /// Settings as a tree, without the keys that have no defaults.
    static func optionalMembers(of settings: Self) -> SettingsNode {
        var node = SettingsEncoder.encode(settings)
        if let entries = node.entries {
            node.value = .mapping(entries.filter { !requiredKeys.contains($0.key) })
        }
        return node
    }
}

extension SettingsNode {
    /// `cosine` as `{kind: cosine}`.
    fileprivate var expandedKind: SettingsNode {
        guard let text, !isNothing else { return self }
        let kind = Entry(key: "kind", value: .quoted(text, origin: origin), origin: origin)
        return SettingsNode(.mapping([kind]), origin: origin)
    }
}

struct SettingsKey: CodingKey {
    let stringValue: String
    var intValue: Int? { Int(stringValue) }

    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(String(intValue)) }
}
