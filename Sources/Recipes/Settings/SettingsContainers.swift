/// Keys of a group, each looked up in what was written and then in the defaults.
struct SettingsKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: SettingsDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] {
        ((decoder.node ?? decoder.defaults)?.entries ?? []).compactMap { Key(stringValue: $0.key) }
    }

    private func find(_ key: Key) -> (entry: SettingsNode.Entry?, fallback: SettingsNode?) {
        if !decoder.asked.contains(key.stringValue) { decoder.asked.append(key.stringValue) }
        return (decoder.node?.entry(key.stringValue), decoder.defaults?.entry(key.stringValue)?.value)
    }

    func contains(_ key: Key) -> Bool {
        let (entry, fallback) = find(key)
        return entry != nil || fallback != nil
    }

    func decodeNil(forKey key: Key) throws -> Bool {
        let (entry, fallback) = find(key)
        return (entry?.value ?? fallback)?.isNothing ?? true
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let (entry, fallback) = find(key)
        guard entry != nil || fallback != nil else { throw missing(type, key) }
        return try SettingsDecoder.value(
            type, node: entry?.value, defaults: fallback, path: decoder.path + [key.stringValue],
            origin: entry?.origin ?? decoder.origin)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        try decodeNil(forKey: key) ? nil : try decode(type, forKey: key)
    }

    /// A key that is needed and absent, or present under a misspelled name.
    private func missing<T>(_ type: T.Type, _ key: Key) -> SettingsError {
        let strangers = (decoder.node?.entries ?? []).filter { !decoder.asked.contains($0.key) }
        for entry in strangers where nearestName(to: entry.key, in: [key.stringValue]) != nil {
            return .unknown(entry, path: decoder.path, known: [key.stringValue])
        }
        let expected = SettingsScalar.expectation(type).map { "; give \($0)" } ?? ""
        return SettingsError(
            origin: decoder.origin, key: (decoder.path + [key.stringValue]).joined(separator: "."),
            problem: "is missing\(expected)")
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try child(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try child(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { child(key) }

    private func child(_ key: Key) -> SettingsDecoder {
        let (entry, fallback) = find(key)
        return SettingsDecoder(
            node: entry?.value, defaults: fallback, path: decoder.path + [key.stringValue],
            origin: decoder.origin)
    }
}

/// Elements of a list.
struct SettingsUnkeyedContainer: UnkeyedDecodingContainer {
    let decoder: SettingsDecoder
    let items: [SettingsNode]
    var currentIndex = 0

    init(decoder: SettingsDecoder, items: [SettingsNode]) {
        self.decoder = decoder
        self.items = items
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex >= items.count }

    private var path: [String] { decoder.path + [String(currentIndex)] }

    private func item() throws -> SettingsNode {
        guard currentIndex < items.count else {
            throw SettingsError(
                origin: decoder.origin, key: decoder.path.joined(separator: "."),
                problem: "has only \(items.count) elements; more are needed")
        }
        return items[currentIndex]
    }

    mutating func decodeNil() throws -> Bool {
        guard try item().isNothing else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let item = try item()
        let value = try SettingsDecoder.value(
            type, node: item, defaults: nil, path: path, origin: item.origin)
        currentIndex += 1
        return value
    }

    private mutating func child() throws -> SettingsDecoder {
        let item = try item()
        defer { currentIndex += 1 }
        return SettingsDecoder(node: item, defaults: nil, path: path, origin: item.origin)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws
        -> KeyedDecodingContainer<Nested>
    {
        try child().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try child().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try child() }
}

/// A value alone.
struct SettingsSingleContainer: SingleValueDecodingContainer {
    let decoder: SettingsDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { (decoder.node ?? decoder.defaults)?.isNothing ?? true }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try SettingsDecoder.value(
            type, node: decoder.node, defaults: decoder.defaults, path: decoder.path, origin: decoder.origin)
    }
}
