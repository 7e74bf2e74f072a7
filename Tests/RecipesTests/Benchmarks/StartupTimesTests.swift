import Recipes
import Testing

@Suite struct StartupTimesTests {
    @Test func `each milestone has the median of its processes`() throws {
        var times = StartupTimes()
        for first in [0.3, 0.1, 0.2] { try times.add([.main: 0.01, .loaded: 0.05, .firstStep: first]) }
        #expect(times.median(.firstStep) == 0.2 && times.median(.main) == 0.01)
        #expect(times.text.contains("0.200"))
        #expect(times.json["firstStep"]?.numbers == [0.3, 0.1, 0.2])
    }

    @Test func `a process that never told of its first step is an error`() {
        var times = StartupTimes()
        #expect(throws: BenchmarkError.self) { try times.add([.main: 0.01, .loaded: 0.05]) }
    }
}
