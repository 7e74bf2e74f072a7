/// The extents of a tensor, outermost axis first.
///
/// Images are `[N, H, W, C]`, tokens `[N, L, C]`, vectors `[N, C]`: the channel axis is always last and
/// contiguous, so `[N, H, W, C]` and `[N, H·W, C]` are the same bytes.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    public let extents: [Int]

    public init(_ extents: [Int]) {
        precondition(extents.allSatisfy { $0 >= 0 }, "a shape has no negative extent: \(extents)")
        self.extents = extents
    }

    public init(arrayLiteral elements: Int...) { self.init(elements) }

    public var rank: Int { extents.count }

    /// Number of scalars; 1 for a scalar shape `[]`.
    public var elementCount: Int { extents.reduce(1, *) }

    /// Extent of an axis; negative axes count from the end, so `shape[-1]` is the channel count.
    public subscript(axis: Int) -> Int { extents[axis < 0 ? extents.count + axis : axis] }

    /// Extent of the last axis (1 for a scalar).
    public var channels: Int { extents.last ?? 1 }

    /// Product of all extents but the last: the number of channel vectors.
    public var rows: Int { extents.dropLast().reduce(1, *) }

    public var description: String { "[" + extents.map(String.init).joined(separator: ", ") + "]" }
}
