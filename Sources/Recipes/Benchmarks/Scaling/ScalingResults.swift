import Checkpoints
import Images

/// How time grows with the size of the work, as a table, as JSON and as plots.
public struct ScalingResults: Sendable {
    public var threads: Int
    public var series: [ScalingSeries]

    public init(threads: Int, series: [ScalingSeries]) { (self.threads, self.series) = (threads, series) }

    /// Points whose time grew faster than the mathematics requires.
    public var excessiveCount: Int {
        series.reduce(0) { sum, series in sum + series.points.indices.count(where: series.isExcessive) }
    }

    /// A table with a line for each point. Growth is the power of the work with which time grew from the line above.
    public var text: String {
        var table = TextTable(["case, \(threads) threads, float32", "size", "ms", "ms/image", "growth", ""])
        for series in series {
            for (index, point) in series.points.enumerated() {
                let growth = series.growth(at: index).map { TextTable.fixed($0, digits: 2) }
                let speedUp = series.speedUp(at: index).map { "×" + TextTable.fixed($0, digits: 2) }
                table.add([
                    index == 0 ? series.name : "", "\(point.size)",
                    TextTable.fixed(point.milliseconds, digits: 2),
                    TextTable.fixed(point.millisecondsPerImage, digits: 2), growth ?? speedUp ?? "",
                    series.isExcessive(at: index)
                        ? "above \(TextTable.fixed(series.order, digits: 0))" : "",
                ])
            }
        }
        let verdict =
            excessiveCount == 0
            ? "nothing grows faster than its mathematics"
            : "\(excessiveCount) points grow faster than their mathematics (more than \(ScalingSeries.tolerance) above its power)"
        return table.text + "\n" + verdict
    }

    public var json: JSONValue {
        [
            "threads": .integer(threads), "precision": "float32",
            "excessivePoints": .integer(excessiveCount),
            "series": .array(series.map(\.json)),
        ]
    }

    /// One plot for each axis that has series, under the axis' name.
    public var plots: [(name: String, image: Image)] {
        ScalingAxis.allCases.compactMap { axis in
            let lines = series.filter { $0.axis == axis }
            guard !lines.isEmpty else { return nil }
            var plot = LinePlot(title: axis.title, xLabel: axis.label, yLabel: axis.valueLabel)
            (plot.xScale, plot.yScale) = axis == .threads ? (.linear, .linear) : (.logarithmic, .logarithmic)
            // Times grow towards the right, but not those per image of larger batches.
            plot.legendCorner = axis == .batch ? .upperRight : .upperLeft
            for line in lines {
                plot.add(
                    line.name, x: line.points.map { Double($0.size) },
                    y: line.points.indices.map {
                        line.speedUp(at: $0) ?? line.points[$0].millisecondsPerImage
                    },
                    showsPoints: true)
            }
            return (axis.rawValue, plot.image())
        }
    }
}

extension ScalingAxis {
    fileprivate var title: String {
        switch self {
        case .batch: "Time per image against batch"
        case .resolution: "Time per image against resolution"
        case .threads: "Speed against threads"
        case .tokens: "Time against tokens"
        }
    }

    fileprivate var label: String {
        switch self {
        case .batch: "images at once"
        case .resolution: "side in pixels"
        case .threads: "threads"
        case .tokens: "tokens"
        }
    }

    fileprivate var valueLabel: String { self == .threads ? "times as fast as one" : "ms per image" }
}
