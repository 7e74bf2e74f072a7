/// One setting given on the command line, stronger than the file's.
public struct SettingsOverride: Sendable, Hashable {
    public let path: [String]
    public let value: SettingsNode

    /// - Parameter text: `optimizer.lr=3e-4`; the value is read as YAML, so `depth=[2, 1, 2]` works as well.
    /// - Throws: `SettingsError` when there is no key or the value is not YAML.
    public init(parsing text: String) throws {
        let origin = "--set \(text)"
        guard let equals = text.firstIndex(of: "=") else {
            throw SettingsError(
                origin: origin, problem: "has no value; write KEY=VALUE, as in --set optimizer.lr=3e-4")
        }
        let path = text[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard path.allSatisfy({ !$0.isEmpty && !$0.contains(" ") }) else {
            throw SettingsError(
                origin: origin, problem: "has no usable key; write KEY=VALUE, as in --set optimizer.lr=3e-4")
        }
        self.path = path
        let source = String(text[text.index(after: equals)...])
        value =
            source.isEmpty
            ? .plain("", origin: origin) : try SettingsNode(yaml: source, name: origin, hasLines: false)
    }

    /// What an option such as `--steps` sets.
    public init(_ path: String, _ value: some CustomStringConvertible, option: String, isText: Bool = false) {
        self.path = path.split(separator: ".").map(String.init)
        self.value =
            isText
            ? .quoted(value.description, origin: option) : .plain(value.description, origin: option)
    }
}

extension SettingsNode {
    /// The tree with each override put in place, later ones on top.
    public func applying(_ overrides: [SettingsOverride]) -> SettingsNode {
        overrides.reduce(into: self) { $0.set(ArraySlice($1.path), to: $1.value) }
    }
}
