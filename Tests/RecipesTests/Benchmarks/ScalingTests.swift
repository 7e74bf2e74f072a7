import Recipes
import Testing

@Suite struct ScalingTests {
    private func series(_ axis: ScalingAxis, order: Double = 1, _ times: [(Int, Double)]) -> ScalingSeries {
        ScalingSeries(
            name: "job", axis: axis, order: order,
            points: times.map { .init(size: $0.0, milliseconds: $0.1, imageCount: axis == .batch ? $0.0 : 1) }
        )
    }

    @Test(arguments: [
        (ScalingAxis.batch, [(1, 3.0), (2, 6), (8, 24)]), (.resolution, [(16, 1.0), (32, 4), (128, 64)]),
        (.tokens, [(256, 5.0), (512, 10)]),
    ])
    func `time in proportion to the work has growth 1 and is not marked`(
        _ axis: ScalingAxis, _ times: [(Int, Double)]
    ) throws {
        let series = series(axis, times)
        #expect(series.growth(at: 0) == nil)
        for index in 1..<times.count {
            #expect(abs(try #require(series.growth(at: index)) - 1) < 1e-12)
            #expect(!series.isExcessive(at: index))
        }
        let results = ScalingResults(threads: 2, series: [series])
        #expect(results.excessiveCount == 0 && !results.text.contains("above"))
    }

    @Test func `faster growth than the mathematics requires is marked, and only there`() throws {
        let linear = series(.tokens, [(256, 1), (512, 2), (1024, 8), (2048, 16)])
        let quadratic = series(.tokens, order: 2, [(256, 1), (512, 4), (1024, 32)])
        #expect((0..<4).map(linear.isExcessive) == [false, false, true, false])
        #expect((0..<3).map(quadratic.isExcessive) == [false, false, true])
        let results = ScalingResults(threads: 2, series: [linear, quadratic])
        #expect(results.excessiveCount == 2)
        #expect(results.text.contains("above 1") && results.text.contains("above 2"))
        #expect(results.json["excessivePoints"]?.integer == 2)
    }

    @Test func `threads are told by their speed-up, not by growth`() {
        let threads = series(.threads, [(1, 10), (2, 5), (4, 4)])
        #expect((0..<3).allSatisfy { threads.growth(at: $0) == nil && !threads.isExcessive(at: $0) })
        let text = ScalingResults(threads: 4, series: [threads]).text
        #expect(text.contains("×2.00") && text.contains("×2.50"))
    }

    @Test func `times of a batch are also told per image`() throws {
        let results = ScalingResults(threads: 1, series: [series(.batch, [(4, 10)])])
        let point = results.json["series"]?.array?.first?["points"]?.array?.first
        #expect(point?["millisecondsPerImage"]?.number == 2.5)
    }

    @Test func `every axis that was measured has a plot`() {
        let results = ScalingResults(
            threads: 2, series: [series(.batch, [(1, 1), (2, 3)]), series(.threads, [(1, 2), (2, 1)])])
        let plots = results.plots
        #expect(plots.map(\.name) == ["batch", "threads"])
        #expect(plots.allSatisfy { $0.image.width == 800 })
    }
}
