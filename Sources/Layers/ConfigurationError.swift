/// A setting with a value that cannot be.
public struct ConfigurationError: Error, CustomStringConvertible, Equatable {
    public var field: String
    /// What the field must be, and what was found.
    public var demand: String

    public init(field: String, demand: String) {
        self.field = field
        self.demand = demand
    }

    public var description: String { "\(field) must be \(demand)" }
}
