import Tensors

/// How far computed values are from a reference: the worst element, relative to the reference's RMS.
///
/// A single relative error per element would condemn values near zero that cancellation makes; a mean would hide
/// one wrong element. The largest absolute difference over the root of the reference's mean square does neither.
public struct Comparison: Sendable, CustomStringConvertible {
    public let name: String
    /// Largest |computed − reference| / RMS(reference). Infinite when a computed value is not finite where the
    /// reference is, or the shapes differ. Absolute where the whole reference is zero.
    public let error: Double
    /// Where it is worst, one index per axis.
    public let worstIndex: [Int]
    public let computed: Double
    public let expected: Double
    /// Set instead of the values when the shapes differ.
    public let shapeMismatch: (computed: [Int], expected: [Int])?

    /// - Parameters:
    ///   - computed: values in the axis order of `expected`.
    ///   - shape: their shape.
    public init(name: String, _ computed: [Float], shape: [Int], expected: StoredTensor) {
        self.init(
            name: name, computed.map(Double.init), shape: shape, expected: expected.doubles,
            shape: expected.shape)
    }

    public init(
        name: String, _ computed: [Double], shape: [Int], expected: [Double], shape expectedShape: [Int]
    ) {
        self.name = name
        guard shape == expectedShape, computed.count == expected.count else {
            (error, worstIndex, self.computed, self.expected) = (.infinity, [], .nan, .nan)
            shapeMismatch = (shape, expectedShape)
            return
        }
        shapeMismatch = nil
        let rms = Self.rootMeanSquare(expected)
        var worst = 0
        var largest = -1.0
        for index in expected.indices {
            let difference = Self.difference(computed[index], expected[index])
            if difference > largest { (largest, worst) = (difference, index) }
        }
        guard !expected.isEmpty else {
            (error, worstIndex, self.computed, self.expected) = (0, [], 0, 0)
            return
        }
        error = rms > 0 ? largest / rms : largest
        worstIndex = Self.unravel(worst, shape)
        self.computed = computed[worst]
        self.expected = expected[worst]
    }

    /// A tensor against a reference of the same axis order.
    public init(name: String, _ computed: Tensor, expected: StoredTensor) {
        self.init(name: name, computed.scalars, shape: computed.shape.extents, expected: expected)
    }

    /// An NHWC tensor against an NCHW reference.
    public init(name: String, channelsLast computed: Tensor, expected: StoredTensor) {
        let (values, shape) = AxisOrder.channelsSecond(computed.scalars, shape: computed.shape.extents)
        self.init(name: name, values, shape: shape, expected: expected)
    }

    public var description: String {
        if let shapeMismatch {
            return "\(name): shape \(shapeMismatch.computed), the reference has \(shapeMismatch.expected)"
        }
        return
            "\(name): error \(Self.short(error)) of RMS at \(worstIndex): \(computed), the reference has \(expected)"
    }

    /// Three significant digits, as in `1.23e-06`.
    public static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
        var exponent = 0
        var mantissa = abs(value)
        while mantissa >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        let digits = Int((mantissa * 100).rounded())
        let tail = digits % 100
        let number = "\(digits / 100).\(tail < 10 ? "0" : "")\(tail)"
        return (value < 0 ? "-" : "") + number
            + "e\(exponent < 0 ? "-" : "+")\(abs(exponent) < 10 ? "0" : "")\(abs(exponent))"
    }

    private static func rootMeanSquare(_ values: [Double]) -> Double {
        let finite = values.filter(\.isFinite)
        return finite.isEmpty ? 0 : (finite.reduce(0) { $0 + $1 * $1 } / Double(finite.count)).squareRoot()
    }

    /// Equal infinities and NaN for NaN agree; one-sided ones are infinitely far apart.
    private static func difference(_ computed: Double, _ expected: Double) -> Double {
        if computed == expected || (computed.isNaN && expected.isNaN) { return 0 }
        let difference = abs(computed - expected)
        return difference.isFinite ? difference : .infinity
    }

    private static func unravel(_ index: Int, _ shape: [Int]) -> [Int] {
        var rest = index
        return Array(
            shape.reversed().map { extent in
                defer { rest /= extent }
                return rest % extent
            }.reversed())
    }
}
