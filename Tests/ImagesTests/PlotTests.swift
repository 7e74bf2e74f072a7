import TestSupport
import Testing

@testable import Images

@Suite struct PlotTests {
    /// How many pixels of an image have exactly a colour.
    private func count(_ color: SIMD3<UInt8>, in image: Image) -> Int {
        (0..<image.pixelCount).count { p in (0..<3).allSatisfy { image.bytes[3 * p + $0] == color[$0] } }
    }

    @Test(arguments: [
        (0.25, 0.05, "0.25"), (1500, 500, "1500"), (2e6, 1e6, "2e6"), (-0.5, 0.1, "-0.5"), (0, 0.1, "0"),
        (1.25e-5, 5e-7, "1.25e-5"), (250_000, 50_000, "250000"), (2_500_000, 500_000, "2.5e6"),
        (0.1 + 0.2, 0.1, "0.3"),
    ])
    func `numbers have the digits that their step needs`(value: Double, step: Double, text: String) {
        #expect(PlotAxis.label(value, step: step) == text)
    }

    @Test(arguments: [(0.0, 1.0), (-3, 7e5), (1e-9, 2e-9), (5, 5), (0, 0), (-1e12, 1e12)])
    func `an axis covers its values with a handful of marks`(low: Double, high: Double) {
        let axis = PlotAxis(scale: .linear, values: [low, high])
        #expect(axis.position(of: low) >= 0 && axis.position(of: high) <= 1)
        #expect((3...12).contains(axis.ticks.count), "\(axis.ticks)")
        #expect(Set(axis.ticks.map(\.label)).count == axis.ticks.count)
    }

    @Test(arguments: [(1e-3, 1e3), (0.2, 0.3), (1e-30, 1e30), (7, 7)])
    func `a logarithmic axis does too`(low: Double, high: Double) {
        let axis = PlotAxis(scale: .logarithmic, values: [low, high, 0, -5, .nan])
        #expect(axis.position(of: low) >= 0 && axis.position(of: high) <= 1)
        #expect((2...12).contains(axis.ticks.count), "\(axis.ticks)")
    }

    @Test func `a line rises from corner to corner and stays in its frame`() {
        var plot = LinePlot(width: 300, height: 200)
        plot.add("", x: [0, 1], y: [0, 1], color: SIMD3(255, 0, 0))
        let image = plot.image()
        let red = (0..<image.pixelCount).filter { image.bytes[3 * $0] == 255 && image.bytes[3 * $0 + 1] == 0 }
        let (top, bottom) = (red.first ?? 0, red.last ?? 0)
        #expect(top / 300 < 40 && top % 300 > 240)
        #expect(bottom / 300 > 140 && bottom % 300 < 90)
    }

    @Test func `values that cannot be shown interrupt the line`() {
        let ink = SIMD3<UInt8>(255, 0, 0)
        func red(_ y: [Double]) -> Int {
            var plot = LinePlot(width: 300, height: 200)
            plot.add("", x: [0, 1, 2, 3, 4], y: y, color: ink)
            let bytes = plot.image().bytes
            return stride(from: 0, to: bytes.count, by: 3).count { bytes[$0] == 255 && bytes[$0 + 1] < 128 }
        }
        #expect(red([1, 1, .nan, 1, 1]) < red([1, 1, 1, 1, 1]))
        #expect(red([.nan, .infinity, .nan, .nan, .nan]) == 0)
    }

    @Test func `an empty plot and one of a single point are drawn`() {
        #expect(LinePlot().image().width == 800)
        var plot = LinePlot(title: "one", xLabel: "x", yLabel: "y")
        plot.xScale = .logarithmic
        plot.add("point", x: [3], y: [0], showsPoints: true)
        #expect(count(SIMD3(31, 119, 190), in: plot.image()) > 20)
    }

    @Test func `every line has its name in the legend`() {
        var plot = LinePlot()
        for n in 0..<3 { plot.add("line \(n)", x: [0, 1], y: [Double(n), 2]) }
        let colors: [SIMD3<UInt8>] = [SIMD3(31, 119, 190), SIMD3(222, 98, 20), SIMD3(38, 140, 60)]
        #expect(colors.allSatisfy { count($0, in: plot.image()) >= 24 * 3 })
    }
}
