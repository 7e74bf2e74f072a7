/// Why bytes are not an image, or an image cannot become bytes: which file, what is wrong, what to do.
public struct ImageError: Error, Equatable, CustomStringConvertible {
    /// What kind of trouble it is, for callers that decide by it (skip a sample, stop a run).
    public enum Kind: String, Sendable {
        /// The bytes are not in an image format that is read here.
        case notAnImage
        /// The file ends too early.
        case truncated
        /// The file is in a known format and violates it.
        case damaged
        /// A valid file of a variety that is not read here.
        case unsupported
        /// More pixels than allowed; see `Image.pixelLimit`.
        case tooLarge
        /// The pixels cannot be stored the way that was asked for.
        case cannotEncode
    }

    public let kind: Kind
    /// The file, or what else the bytes came from.
    public let name: String
    public let problem: String
    public let remedy: String

    public init(_ kind: Kind, _ name: String, _ problem: String, remedy: String) {
        self.kind = kind
        self.name = name
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String { "\(name): \(problem); \(remedy)" }
}
