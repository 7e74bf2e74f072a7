import Checkpoints
import Foundation

/// What is made larger from point to point.
public enum ScalingAxis: String, Sendable, CaseIterable {
    /// Images at once.
    case batch
    /// Side of a square image in pixels.
    case resolution
    case threads
    /// Tokens of a sequence.
    case tokens

    /// The work of a size relative to that of size 1, where the mathematics is linear in it.
    func work(_ size: Int) -> Double {
        switch self {
        case .batch, .tokens: Double(size)
        case .resolution: Double(size) * Double(size)
        case .threads: 1
        }
    }
}

/// Times of one job at growing sizes.
public struct ScalingSeries: Sendable {
    public struct Point: Sendable {
        public var size: Int
        /// Median of one run.
        public var milliseconds: Double
        /// Images, or sequences, that one run handles.
        public var imageCount: Int

        public init(size: Int, milliseconds: Double, imageCount: Int) {
            (self.size, self.milliseconds, self.imageCount) = (size, milliseconds, imageCount)
        }

        public var millisecondsPerImage: Double { milliseconds / Double(max(1, imageCount)) }
    }

    /// Growth above what the mathematics requires that is put down to noise and to caches that overflow.
    static let tolerance = 0.15

    public var name: String
    public var axis: ScalingAxis
    /// The power of the work with which time grows by the mathematics: 1, or 2 for softmax attention.
    public var order: Double
    public var points: [Point]

    public init(name: String, axis: ScalingAxis, order: Double = 1, points: [Point]) {
        (self.name, self.axis, self.order, self.points) = (name, axis, order, points)
    }

    /// The power of the work with which a point's time grew from the one before it; nil for the first, and for threads,
    /// where the work stays as it is.
    public func growth(at index: Int) -> Double? {
        guard index > 0, axis != .threads else { return nil }
        let (before, now) = (points[index - 1], points[index])
        let work = axis.work(now.size) / axis.work(before.size)
        return log(now.milliseconds / before.milliseconds) / log(work)
    }

    /// Whether a point's time grew faster than the mathematics requires.
    public func isExcessive(at index: Int) -> Bool {
        growth(at: index).map { $0 > order + Self.tolerance } ?? false
    }

    /// How many times as fast as with the first number of threads.
    func speedUp(at index: Int) -> Double? {
        guard axis == .threads, let first = points.first else { return nil }
        return first.milliseconds / points[index].milliseconds
    }

    var json: JSONValue {
        [
            "name": .string(name), "axis": .string(axis.rawValue), "order": .number(order),
            "points": .array(
                points.indices.map { index in
                    [
                        "size": .integer(points[index].size),
                        "milliseconds": .number(points[index].milliseconds),
                        "millisecondsPerImage": .number(points[index].millisecondsPerImage),
                        "growth": growth(at: index).map(JSONValue.number) ?? .null,
                        "isExcessive": .bool(isExcessive(at: index)),
                        "speedUp": speedUp(at: index).map(JSONValue.number) ?? .null,
                    ]
                }),
        ]
    }
}
