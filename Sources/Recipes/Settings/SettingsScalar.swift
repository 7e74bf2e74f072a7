/// Reads the basic types of settings and says what they expect.
enum SettingsScalar {
    /// - Returns: nil for a type that is not basic.
    static func read<T>(_ type: T.Type, from node: SettingsNode, path: [String]) throws -> T? {
        guard let expected = expectation(type) else { return nil }
        guard let value: T = convert(node) else {
            throw SettingsError.wrongType(node, path: path, expected: expected)
        }
        return value
    }

    /// How an error names a basic type; nil for other types.
    static func expectation<T>(_ type: T.Type) -> String? {
        if type == String.self { return "a text" }
        if type == Bool.self { return "true or false" }
        if type == Double.self || type == Float.self { return "a number" }
        if type is any UnsignedInteger.Type { return "a whole number of at least 0" }
        if type is any FixedWidthInteger.Type { return "a whole number" }
        return nil
    }

    private static func convert<T>(_ node: SettingsNode) -> T? {
        if T.self == String.self { return node.isNothing ? nil : node.text as? T }
        if T.self == Bool.self { return node.bool as? T }
        if T.self == Double.self { return node.number as? T }
        if T.self == Float.self { return node.number.map(Float.init) as? T }
        if let type = T.self as? any FixedWidthInteger.Type { return integer(type, node) as? T }
        return nil
    }

    private static func integer<I: FixedWidthInteger>(_ type: I.Type, _ node: SettingsNode) -> I? {
        // Seeds may exceed Int; JSON then carries them as text.
        if case .scalar(let text, let isPlain) = node.value, let exact = I(text), isPlain || exact > Int.max {
            return exact
        }
        return node.integer.flatMap(I.init(exactly:))
    }
}
