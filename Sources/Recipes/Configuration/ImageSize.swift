import Layers

/// Width and height in pixels (or latent cells), written `32` or `48x32`.
public struct ImageSize: Codable, Hashable, Sendable, CustomStringConvertible {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    public init(_ side: Int) { self.init(width: side, height: side) }

    /// `32` or `48x32`, width first; nil for anything else, and for sizes below 1.
    public init?(parsing text: String) {
        let parts = text.split(omittingEmptySubsequences: false) { "xX×".contains($0) }.map { Int($0) }
        guard let width = parts.first ?? nil, let height = parts.last ?? nil, parts.count <= 2, width > 0,
            height > 0
        else { return nil }
        self.init(width: width, height: height)
    }

    public var description: String { width == height ? "\(width)" : "\(width)x\(height)" }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let size = ImageSize(parsing: text) else {
            throw ConfigurationError(
                field: "", demand: "a size such as 32 or 48x32 (width first), found \"\(text)\"")
        }
        self = size
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if width == height { try container.encode(width) } else { try container.encode(description) }
    }
}
