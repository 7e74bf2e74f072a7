/// A corner of a plot that its lines leave free.
public enum LegendCorner: Sendable { case upperRight, upperLeft, lowerLeft }

/// A chart of lines over two axes, drawn into an image: loss curves, benchmark results.
///
/// ```swift
/// var plot = LinePlot(title: "Training", xLabel: "step", yLabel: "loss")
/// plot.yScale = .logarithmic
/// plot.add("loss", x: steps, y: losses)
/// try plot.image().write(to: "loss.png")
/// ```
public struct LinePlot: Sendable {
    /// One line, in the order of its points. A value that an axis cannot show interrupts it.
    public struct Series: Sendable {
        public var name: String
        public var x: [Double]
        public var y: [Double]
        /// Red, green and blue; nil for the next of eight that are well told apart.
        public var color: SIMD3<UInt8>?
        /// A mark on each point, for few points.
        public var showsPoints: Bool
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var xScale: PlotScale = .linear
    public var yScale: PlotScale = .linear
    /// Where the names of the lines stand.
    public var legendCorner = LegendCorner.upperRight
    public var width: Int
    public var height: Int
    public private(set) var series: [Series] = []

    public init(
        title: String = "", xLabel: String = "", yLabel: String = "", width: Int = 800, height: Int = 500
    ) {
        precondition(width >= 200 && height >= 150, "a plot needs 200×150 pixels, not \(width)×\(height)")
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.width = width
        self.height = height
    }

    /// Adds a line through `(x[i], y[i])`.
    public mutating func add(
        _ name: String, x: [Double], y: [Double], color: SIMD3<UInt8>? = nil, showsPoints: Bool = false
    ) {
        precondition(x.count == y.count, "a line needs as many x as y: \(x.count) and \(y.count)")
        series.append(Series(name: name, x: x, y: y, color: color, showsPoints: showsPoints))
    }

    public func image() -> Image {
        let xAxis = PlotAxis(scale: xScale, values: series.lazy.flatMap(\.x))
        let yAxis = PlotAxis(scale: yScale, values: series.lazy.flatMap(\.y))
        let frame = Frame(plot: self, yAxis: yAxis)
        var canvas = Canvas(width: width, height: height)
        drawAxes(xAxis, yAxis, frame, on: &canvas)
        for (n, line) in series.enumerated() { draw(line, color(n), xAxis, yAxis, frame, on: &canvas) }
        drawLegend(frame, on: &canvas)
        return canvas.image
    }

    /// Where the lines go, in pixels.
    private struct Frame {
        let x: Range<Int>
        let y: Range<Int>

        init(plot: LinePlot, yAxis: PlotAxis) {
            let labels = yAxis.ticks.map { BitmapFont.width(of: $0.label) * 2 }.max() ?? 0
            let left = labels + 18 + (plot.yLabel.isEmpty ? 0 : 24)
            let bottom = 34 + (plot.xLabel.isEmpty ? 0 : 22)
            x = min(left, plot.width / 2)..<plot.width - 24
            y = (plot.title.isEmpty ? 16 : 38)..<plot.height - bottom
        }

        func point(_ x: Double, _ y: Double) -> SIMD2<Double> {
            SIMD2(
                Double(self.x.lowerBound) + x * Double(self.x.count),
                Double(self.y.upperBound) - y * Double(self.y.count))
        }
    }

    private static let colors: [SIMD3<UInt8>] = [
        SIMD3(31, 119, 190), SIMD3(222, 98, 20), SIMD3(38, 140, 60), SIMD3(200, 40, 60), SIMD3(130, 90, 190),
        SIMD3(130, 88, 70), SIMD3(215, 100, 180), SIMD3(90, 90, 90),
    ]
    private static let ink = SIMD3<UInt8>(40, 40, 40)
    private static let faint = SIMD3<UInt8>(226, 226, 226)

    private func color(_ n: Int) -> SIMD3<UInt8> { series[n].color ?? Self.colors[n % Self.colors.count] }

    private func drawAxes(_ xAxis: PlotAxis, _ yAxis: PlotAxis, _ frame: Frame, on canvas: inout Canvas) {
        var occupied = 0
        for tick in xAxis.ticks {
            let x = Int(frame.point(xAxis.position(of: tick.value), 0).x)
            canvas.fill(x: x..<x + 1, y: frame.y, ink: Self.faint)
            // A label that would touch the one before is left out.
            let half = BitmapFont.width(of: tick.label)
            guard x - half > occupied else { continue }
            canvas.write(tick.label, x: x, y: frame.y.upperBound + 16, anchor: .middle, ink: Self.ink)
            occupied = x + half + 8
        }
        for tick in yAxis.ticks {
            let y = Int(frame.point(0, yAxis.position(of: tick.value)).y)
            canvas.fill(x: frame.x, y: y..<y + 1, ink: Self.faint)
            canvas.write(tick.label, x: frame.x.lowerBound - 8, y: y, anchor: .right, ink: Self.ink)
        }
        canvas.fill(x: frame.x.lowerBound..<frame.x.lowerBound + 1, y: frame.y, ink: Self.ink)
        canvas.fill(x: frame.x, y: frame.y.upperBound..<frame.y.upperBound + 1, ink: Self.ink)
        let middle = (frame.x.lowerBound + frame.x.upperBound) / 2
        canvas.write(title, x: middle, y: 19, anchor: .middle, ink: Self.ink)
        canvas.write(xLabel, x: middle, y: height - 14, anchor: .middle, ink: Self.ink)
        canvas.writeUpwards(yLabel, x: 14, y: (frame.y.lowerBound + frame.y.upperBound) / 2, ink: Self.ink)
    }

    private func draw(
        _ line: Series, _ color: SIMD3<UInt8>, _ xAxis: PlotAxis, _ yAxis: PlotAxis, _ frame: Frame,
        on canvas: inout Canvas
    ) {
        let clip = (x: frame.x, y: frame.y)
        var run: [SIMD2<Double>] = []
        for (x, y) in zip(line.x, line.y) {
            guard xScale.accepts(x), yScale.accepts(y) else {
                canvas.stroke(run, ink: color, clip: clip)
                run = []
                continue
            }
            run.append(frame.point(xAxis.position(of: x), yAxis.position(of: y)))
            if line.showsPoints, let point = run.last {
                canvas.stroke([point, point], width: 7, ink: color, clip: clip)
            }
        }
        canvas.stroke(run, ink: color, clip: clip)
    }

    /// The names of the lines in a corner where they leave room; none for a single nameless line.
    private func drawLegend(_ frame: Frame, on canvas: inout Canvas) {
        let named = series.indices.filter { !series[$0].name.isEmpty }
        guard let longest = named.map({ BitmapFont.width(of: series[$0].name) * 2 }).max() else { return }
        let width = longest + 48
        let height = 8 + 20 * named.count
        let left =
            legendCorner == .upperRight
            ? max(frame.x.upperBound - width - 4, frame.x.lowerBound) : frame.x.lowerBound + 6
        let top =
            legendCorner == .lowerLeft
            ? max(frame.y.upperBound - height - 6, frame.y.lowerBound) : frame.y.lowerBound + 4
        let box = (x: left..<min(left + width, frame.x.upperBound - 4), y: top..<top + height)
        canvas.fill(x: box.x, y: box.y, ink: SIMD3(248, 248, 248))
        for (row, n) in named.enumerated() {
            let y = top + 14 + 20 * row
            canvas.fill(x: left + 8..<left + 32, y: y - 1..<y + 2, ink: color(n))
            canvas.write(series[n].name, x: left + 40, y: y, ink: Self.ink)
        }
    }
}
