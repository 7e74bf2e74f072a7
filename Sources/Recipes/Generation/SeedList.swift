/// Seeds as people write them: `7`, `0-63`, `1,5,9-12`.
public struct SeedList: Hashable, Sendable, CustomStringConvertible {
    public let seeds: [UInt64]

    /// More than this at once is taken for a slip.
    public static let limit = 10_000_000

    public init(_ seeds: some Sequence<UInt64>) { self.seeds = Array(seeds) }

    /// `count` seeds from `first` on.
    /// - Throws: `GenerationError` when there are none, too many, or they run past the largest seed.
    public init(count: Int, from first: UInt64) throws {
        guard (1...Self.limit).contains(count) else {
            throw GenerationError("\(count) images are asked for; give a number in 1…\(Self.limit)")
        }
        guard first <= .max - UInt64(count - 1) else {
            throw GenerationError("\(count) seeds from \(first) on run past the largest, \(UInt64.max)")
        }
        seeds = (0..<UInt64(count)).map { first + $0 }
    }

    /// - Throws: `GenerationError` that quotes the part it does not understand.
    public init(parsing text: String) throws {
        var seeds: [UInt64] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2 else {
                throw GenerationError(
                    "seeds \"\(text)\": \"\(part)\" is not understood; write 7, 0-63 or 1,5,9-12")
            }
            guard first <= last else {
                throw GenerationError("seeds \"\(text)\": \(part) runs backwards; write \(last)-\(first)")
            }
            guard last - first < UInt64(Self.limit), seeds.count + Int(last - first) < Self.limit else {
                throw GenerationError("seeds \"\(text)\": more than \(Self.limit) images; make them in parts")
            }
            seeds += (0...(last - first)).map { first + $0 }
        }
        let unique = Set(seeds)
        guard unique.count == seeds.count else {
            throw GenerationError(
                "seeds \"\(text)\": a seed is named twice, which would make the same image twice")
        }
        self.seeds = seeds
    }

    /// Runs of consecutive seeds as ranges.
    public var description: String {
        var parts: [String] = []
        var index = 0
        while index < seeds.count {
            var end = index
            while end + 1 < seeds.count, seeds[end] < .max, seeds[end + 1] == seeds[end] + 1 { end += 1 }
            parts.append(end == index ? "\(seeds[index])" : "\(seeds[index])-\(seeds[end])")
            index = end + 1
        }
        return parts.joined(separator: ",")
    }
}
