/// The size of one level's map of tokens or pixels.
///
/// In settings a square grid may be written as one number, any grid as `[height, width]`.
public struct Grid: Hashable, Sendable, CustomStringConvertible {
    public var height: Int
    public var width: Int

    public init(_ height: Int, _ width: Int) {
        self.height = height
        self.width = width
    }

    public init(_ side: Int) { self.init(side, side) }

    /// Positions of the grid: tokens of a level, degrees of freedom of a channel.
    public var count: Int { height * width }

    public var description: String { "\(height)×\(width)" }
}

extension Grid: Codable {
    public init(from decoder: any Decoder) throws {
        if let side = try? decoder.singleValueContainer().decode(Int.self) {
            self.init(side)
            return
        }
        let sides = try decoder.singleValueContainer().decode([Int].self)
        guard sides.count == 2 else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "a grid is one number or [height, width], found \(sides)"))
        }
        self.init(sides[0], sides[1])
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if height == width { try container.encode(height) } else { try container.encode([height, width]) }
    }
}
