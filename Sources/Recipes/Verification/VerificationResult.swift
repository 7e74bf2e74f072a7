import Checkpoints

/// How a rebuilt parity case compares with the original implementation's numbers.
public struct VerificationResult: Sendable {
    /// A comparison, and the largest error that still agrees.
    public struct Item: Sendable {
        public var comparison: Comparison
        /// Relative to the reference's RMS, as `Comparison.error` is.
        public var tolerance: Double

        public init(_ comparison: Comparison, within tolerance: Double) {
            self.comparison = comparison
            self.tolerance = tolerance
        }

        public var passes: Bool { comparison.error <= tolerance }
    }

    /// Forward values: network outputs, intermediate results, losses, tables.
    public var outputs: [Item] = []
    /// Derivatives by parameters and by inputs.
    public var gradients: [Item] = []

    public init(outputs: [Item] = [], gradients: [Item] = []) {
        self.outputs = outputs
        self.gradients = gradients
    }

    public mutating func addOutput(_ comparison: Comparison, within tolerance: Double) {
        outputs.append(Item(comparison, within: tolerance))
    }

    public mutating func addGradient(_ comparison: Comparison, within tolerance: Double) {
        gradients.append(Item(comparison, within: tolerance))
    }

    public var items: [Item] { outputs + gradients }

    /// Whether something was compared and everything agrees.
    public var passes: Bool { !items.isEmpty && items.allSatisfy(\.passes) }

    public var worstOutput: Item? { Self.worst(outputs) }
    public var worstGradient: Item? { Self.worst(gradients) }

    /// The comparison that uses up most of its tolerance.
    public var worst: Item? { Self.worst(items) }

    private static func worst(_ items: [Item]) -> Item? {
        items.max { share($0) < share($1) }
    }

    private static func share(_ item: Item) -> Double {
        if item.comparison.error == 0 { return 0 }
        return item.tolerance > 0 ? item.comparison.error / item.tolerance : .infinity
    }
}
