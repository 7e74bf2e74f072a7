import Foundation
import Glibc
import Recipes
import Tensors
import Training

/// Standard error, for what is not a result.
enum Terminal {
    /// Whether a person is watching.
    static let isInteractive = isatty(STDERR_FILENO) == 1

    static func error(_ message: String) { write("sfumato: error: \(message)\n") }

    static func warning(_ message: String) { write("\(clear)sfumato: warning: \(message)\n") }

    /// Says what is done instead where the processor lacks a precision.
    static func warnIfMissing(_ precision: ProductPrecision) {
        guard !precision.isAvailable else { return }
        warning("this processor does not multiply \(precision.rawValue); products are in float32")
    }

    /// A line that stays, for people only.
    static func note(_ message: String) { if isInteractive { write("\(clear)\(message)\n") } }

    /// A line that the next one replaces, for people only.
    static func status(_ message: String) { if isInteractive { write("\(clear)\(message)") } }

    static func endStatus() { if isInteractive { write(clear) } }

    private static var clear: String { isInteractive ? "\r\u{1B}[K" : "" }

    private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// A progress line with rate and time left, redrawn a few times a second.
struct ProgressLine {
    private let label: String
    private let unit: String
    private var meter: ProgressMeter
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var lastDrawn: ContinuousClock.Instant?

    /// - Parameters:
    ///   - unit: what is counted, plural, for the rate.
    init(_ label: String, total: Int, done: Int = 0, unit: String) {
        (self.label, self.unit) = (label, unit)
        start = clock.now
        meter = ProgressMeter(total: total, done: done, seconds: 0)
    }

    /// - Parameter detail: what else to show, as in a loss.
    mutating func advance(by count: Int = 1, detail: String = "") {
        guard Terminal.isInteractive else { return }
        let now = clock.now
        meter.update(done: meter.done + count, seconds: (now - start) / .seconds(1))
        if let lastDrawn, now - lastDrawn < .milliseconds(200), meter.done < meter.total { return }
        lastDrawn = now
        var parts = ["\(label) \(meter.done)/\(meter.total)"]
        if let rate = meter.rate { parts.append("\(ProgressMeter.text(ofRate: rate)) \(unit)/s") }
        if let left = meter.secondsLeft { parts.append("\(ProgressMeter.text(ofSeconds: left)) left") }
        if !detail.isEmpty { parts.append(detail) }
        Terminal.status(parts.joined(separator: "  "))
    }

    func end() { Terminal.endStatus() }
}
