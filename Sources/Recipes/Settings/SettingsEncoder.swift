/// Writes `Codable` values as a tree of settings, keys in the order of the properties.
final class SettingsEncoder: Encoder {
    /// A node under construction, shared with the containers that fill it.
    final class Slot {
        enum Content {
            case empty
            case scalar(SettingsNode)
            case list([Slot])
            case mapping([(key: String, slot: Slot)])
        }
        var content = Content.empty

        var node: SettingsNode {
            switch content {
            case .empty: SettingsNode(.mapping([]), origin: "defaults")
            case .scalar(let node): node
            case .list(let slots): SettingsNode(.list(slots.map(\.node)), origin: "defaults")
            case .mapping(let members):
                SettingsNode(
                    .mapping(members.map { .init(key: $0.key, value: $0.slot.node, origin: "defaults") }),
                    origin: "defaults")
            }
        }

        func member(_ key: String) -> Slot {
            let slot = Slot()
            var members: [(key: String, slot: Slot)] = []
            if case .mapping(let known) = content { members = known.filter { $0.key != key } }
            content = .mapping(members + [(key, slot)])
            return slot
        }

        func element() -> Slot {
            let slot = Slot()
            var slots: [Slot] = []
            if case .list(let known) = content { slots = known }
            content = .list(slots + [slot])
            return slot
        }

        func encode<T: Encodable>(_ value: T) {
            if let scalar = Slot.scalar(value) {
                content = .scalar(scalar)
            } else {
                if value is any Collection { content = .list([]) }
                // Nothing that is written here throws: every container accepts every value.
                try? value.encode(to: SettingsEncoder(self))
            }
        }

        private static func scalar<T>(_ value: T) -> SettingsNode? {
            switch value {
            case let value as String: .quoted(value)
            case let value as Bool: .plain(value ? "true" : "false")
            case let value as Double: .plain(text(value))
            case let value as Float: .plain(value.isFinite ? "\(value)" : text(Double(value)))
            case let value as any FixedWidthInteger: .plain("\(value)")
            default: nil
            }
        }

        private static func text(_ value: Double) -> String {
            if value.isNaN { return ".nan" }
            if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
            return "\(value)"
        }
    }

    private let slot: Slot

    init(_ slot: Slot) { self.slot = slot }

    static func encode<T: Encodable>(_ value: T) -> SettingsNode {
        let slot = Slot()
        slot.encode(value)
        return slot.node
    }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .empty = slot.content { slot.content = .mapping([]) }
        return KeyedEncodingContainer(Keyed<Key>(slot: slot))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        slot.content = .list([])
        return Unkeyed(slot: slot)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(slot: slot) }
}

extension SettingsEncoder {
    private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let slot: Slot
        var codingPath: [any CodingKey] { [] }

        func encodeNil(forKey key: Key) { slot.member(key.stringValue).content = .scalar(.plain("null")) }
        func encode<T: Encodable>(_ value: T, forKey key: Key) { slot.member(key.stringValue).encode(value) }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Nested> {
            SettingsEncoder(slot.member(key.stringValue)).container(keyedBy: type)
        }

        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            SettingsEncoder(slot.member(key.stringValue)).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { SettingsEncoder(slot.member("super")) }
        func superEncoder(forKey key: Key) -> any Encoder { SettingsEncoder(slot.member(key.stringValue)) }
    }

    private struct Unkeyed: UnkeyedEncodingContainer {
        let slot: Slot
        var codingPath: [any CodingKey] { [] }
        var count: Int { if case .list(let slots) = slot.content { slots.count } else { 0 } }

        func encodeNil() { slot.element().content = .scalar(.plain("null")) }
        func encode<T: Encodable>(_ value: T) { slot.element().encode(value) }

        func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
            SettingsEncoder(slot.element()).container(keyedBy: type)
        }

        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
            SettingsEncoder(slot.element()).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { SettingsEncoder(slot.element()) }
    }

    private struct Single: SingleValueEncodingContainer {
        let slot: Slot
        var codingPath: [any CodingKey] { [] }

        func encodeNil() { slot.content = .scalar(.plain("null")) }
        func encode<T: Encodable>(_ value: T) { slot.encode(value) }
    }
}
