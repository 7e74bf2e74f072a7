/// A metric that cannot be computed from what it was given: says which set, what is wrong and what to do.
public struct MetricError: Error, CustomStringConvertible, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}
