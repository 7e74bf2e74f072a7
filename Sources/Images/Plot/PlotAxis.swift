import Glibc

/// How values become positions along an axis.
public enum PlotScale: String, Sendable, Codable {
    case linear
    /// Equal distances for equal ratios; values that are not positive are left out.
    case logarithmic

    func accepts(_ value: Double) -> Bool { value.isFinite && (self == .linear || value > 0) }

    func transformed(_ value: Double) -> Double { self == .linear ? value : log10(value) }
}

/// One axis: the range it covers, where its marks are and what they are called.
struct PlotAxis {
    let scale: PlotScale
    let low: Double
    let high: Double
    let ticks: [(value: Double, label: String)]

    /// - Parameter values: every value to be shown; an axis without any covers 0 to 1.
    init(scale: PlotScale, values: some Sequence<Double>) {
        self.scale = scale
        var (low, high) = (Double.infinity, -Double.infinity)
        for value in values where scale.accepts(value) {
            low = min(low, scale.transformed(value))
            high = max(high, scale.transformed(value))
        }
        if low > high { (low, high) = (0, 1) }
        let span = high - low
        let margin = span > 0 ? span * 0.04 : max(abs(high) * 0.1, scale == .linear ? 1e-3 : 0.2)
        (self.low, self.high) = (low - margin, high + margin)
        ticks =
            scale == .linear
            ? Self.linearTicks(self.low, self.high) : Self.logarithmicTicks(self.low, self.high)
    }

    /// The position of a value, 0 at the axis' start and 1 at its end.
    func position(of value: Double) -> Double { (scale.transformed(value) - low) / (high - low) }

    /// Multiples of 1, 2 or 5 times a power of ten, five to ten of them.
    private static func linearTicks(_ low: Double, _ high: Double) -> [(value: Double, label: String)] {
        let rough = (high - low) / 6
        let power = pow(10, floor(log10(rough)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? power * 10
        return stride(from: ceil(low / step), through: floor(high / step), by: 1).map { n in
            (n * step, label(n * step, step: step))
        }
    }

    /// Powers of ten, more of their multiples the shorter the axis is, and linear marks where there would be few.
    private static func logarithmicTicks(_ low: Double, _ high: Double) -> [(value: Double, label: String)] {
        let factors: [Double] = high - low > 3 ? [1] : high - low > 1.2 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 8]
        let stepDecades = max(1, Int((high - low) / 8))
        var ticks: [(value: Double, label: String)] = []
        for power in Int(floor(low))...Int(ceil(high)) where power % stepDecades == 0 {
            for factor in factors {
                let value = factor * pow(10, Double(power))
                guard log10(value) >= low, log10(value) <= high else { continue }
                ticks.append((value, label(value, step: value)))
            }
        }
        guard ticks.count < 3 else { return ticks }
        return linearTicks(pow(10, low), pow(10, high)).filter { $0.value > 0 }
    }

    /// A number with the digits that its step needs: `0.25`, `1500`, `2e6`.
    static func label(_ value: Double, step: Double) -> String {
        guard abs(value) > step * 1e-9 else { return "0" }
        if abs(value) >= 1e6 || abs(value) < 1e-3 {
            let power = Int(floor(log10(abs(value)) + 1e-9))
            let digits = max(0, power - Int(floor(log10(step) + 1e-9)))
            return fixed(value / pow(10, Double(power)), decimals: digits) + "e\(power)"
        }
        return fixed(value, decimals: max(0, -Int(floor(log10(step) + 1e-9))))
    }

    private static func fixed(_ value: Double, decimals: Int) -> String {
        let scaled = Int64((abs(value) * pow(10, Double(min(decimals, 15)))).rounded())
        var digits = String(scaled)
        if decimals > 0 {
            digits = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
        }
        return (value < 0 ? "-" : "") + digits
    }
}
