import Glibc

/// The arithmetic of a progress line: rate and time left. It neither reads a clock nor prints.
///
/// The rate is that of the recent past, an average that forgets with a half-life, so that a slow start (first
/// primitives, cold files) does not spoil the estimate for long.
public struct ProgressMeter: Sendable {
    public let total: Int
    public private(set) var done: Int
    /// Seconds after which a past rate counts half.
    public let halfLifeSeconds: Double

    private var lastSeconds: Double
    private var weightedCount = 0.0
    private var weightedSeconds = 0.0

    /// - Parameters:
    ///   - total: units in all.
    ///   - done: units done before, by an earlier part of a resumed run.
    ///   - seconds: the clock now, from any origin.
    public init(total: Int, done: Int = 0, seconds: Double, halfLifeSeconds: Double = 30) {
        self.total = total
        self.done = done
        self.halfLifeSeconds = halfLifeSeconds
        lastSeconds = seconds
    }

    /// Notes that `done` units are finished at clock `seconds`.
    public mutating func update(done: Int, seconds: Double) {
        let elapsed = seconds - lastSeconds
        guard elapsed > 0 else {
            weightedCount += Double(done - self.done)
            self.done = done
            return
        }
        let decay = exp2(-elapsed / halfLifeSeconds)
        weightedCount = weightedCount * decay + Double(done - self.done)
        weightedSeconds = weightedSeconds * decay + elapsed
        self.done = done
        lastSeconds = seconds
    }

    public var fraction: Double { total > 0 ? min(1, Double(done) / Double(total)) : 1 }

    /// Units per second; nil before the first update.
    public var rate: Double? {
        weightedSeconds > 0 && weightedCount > 0 ? weightedCount / weightedSeconds : nil
    }

    public var secondsLeft: Double? { done >= total ? 0 : rate.map { Double(total - done) / $0 } }

    /// A duration in its two largest units: `45s`, `3m12s`, `2h05m`, `3d07h`.
    public static func text(ofSeconds seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "?" }
        let whole = Int(max(0, seconds).rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        switch whole {
        case ..<60: return "\(whole)s"
        case ..<3600: return "\(whole / 60)m\(two(whole % 60))s"
        case ..<86_400: return "\(whole / 3600)h\(two(whole / 60 % 60))m"
        default: return "\(whole / 86_400)d\(two(whole / 3600 % 24))h"
        }
    }

    /// A rate in three digits or so: `1234`, `87.3`, `4.56`, `0.0123`.
    public static func text(ofRate rate: Double) -> String {
        guard rate.isFinite, rate < 1e15 else { return "?" }
        if rate >= 100 { return String(Int(rate.rounded())) }
        let places = rate >= 10 ? 1 : rate >= 1 ? 2 : 4
        let scale = [10, 100, 1000, 10_000][places - 1]
        let value = Int((max(0, rate) * Double(scale)).rounded())
        let digits = String(value % scale)
        return "\(value / scale)." + String(repeating: "0", count: places - digits.count) + digits
    }
}
