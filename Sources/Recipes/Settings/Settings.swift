import Layers

/// A group of settings that can be read from a file.
///
/// Property names are the keys. What a file leaves out comes from `defaults`, a key that is not a property is an
/// error with the nearest one, and `validate` says which values make no sense; errors name the file and the line.
/// `Codable` is synthesised: a group needs no code of its own to be read or written.
public protocol Settings: Codable, Sendable {
    /// The values of everything that a file leaves out.
    static var defaults: Self { get }

    /// Keys without a default: their values in `defaults` are placeholders.
    static var requiredKeys: Set<String> { get }

    /// - Throws: `ConfigurationError` naming the first property that cannot be.
    func validate() throws
}

extension Settings {
    public static var requiredKeys: Set<String> { [] }
    public func validate() throws {}

    /// Reads settings from a tree.
    public init(_ node: SettingsNode) throws { self = try SettingsDecoder.decode(Self.self, from: node) }

    /// Reads a file, with overrides on top of it.
    public init(file: String, overrides: [SettingsOverride] = []) throws {
        try self.init(SettingsNode(yamlFile: file).applying(overrides))
    }

    /// Reads settings that a checkpoint or an image carries.
    /// - Parameter name: what errors call the text.
    public init(json: String, name: String, overrides: [SettingsOverride] = []) throws {
        try self.init(SettingsNode(yaml: json, name: name, hasLines: false).applying(overrides))
    }

    /// Everything, with defaults written out.
    public var node: SettingsNode { SettingsEncoder.encode(self) }

    static func require(_ condition: Bool, _ field: String, _ demand: String) throws {
        guard condition else { throw ConfigurationError(field: field, demand: demand) }
    }
}

/// One of several groups of settings, told apart by the key `kind`: `schedule: {kind: cosine, warmup: 500}`. Where
/// nothing but the kind is said, `schedule: cosine` is enough.
public protocol TaggedSettings: Codable, Sendable {}

extension Settings {
    /// Reads a group that shares its mapping with `kind`; to be used in the `init(from:)` of `TaggedSettings`.
    /// - Parameter defaults: instead of the type's own; nothing is required then.
    static func members(of decoder: any Decoder, defaults: Self? = nil) throws -> Self {
        guard let decoder = decoder as? SettingsDecoder else { return try Self(from: decoder) }
        return try decoder.members(Self.self, defaults: defaults)
    }

    /// Reads a group that stands under `key` and whose defaults follow from what stands beside it; to be used in an
    /// `init(from:)`.
    static func member(of decoder: any Decoder, under key: String, defaults: Self) throws -> Self {
        guard let decoder = decoder as? SettingsDecoder else {
            return try decoder.container(keyedBy: SettingsKey.self).decode(
                Self.self, forKey: SettingsKey(key))
        }
        return try decoder.member(Self.self, under: key, defaults: defaults)
    }
}
