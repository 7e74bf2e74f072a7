/// Which saved states of a run are kept.
public struct Retention: Sendable, Hashable {
    /// The newest so many; at least 1.
    public var last: Int
    /// Beside them, every state whose step is a multiple of this.
    public var every: Int?

    public init(last: Int = 2, every: Int? = nil) {
        self.last = max(1, last)
        self.every = every.flatMap { $0 > 0 ? $0 : nil }
    }

    /// The steps to remove.
    public func stale(_ steps: [Int]) -> [Int] {
        steps.sorted().dropLast(last).filter { step in
            guard let every else { return true }
            return step % every != 0
        }
    }
}
