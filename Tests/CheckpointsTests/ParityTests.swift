import Archives
import Checkpoints
import TestSupport
import Tensors
import Testing

@Suite struct AxisOrderTests {
    @Test(arguments: [[2, 3, 4, 5], [1, 3, 1, 7], [3, 1, 2], [2, 3, 2, 3, 4]])
    func `there and back is the identity, and every scalar lands where it should`(_ shape: [Int]) {
        let values = (0..<shape.reduce(1, *)).map { Float($0) }
        let last = AxisOrder.channelsLast(values, shape: shape)
        #expect(last.shape == [shape[0]] + shape[2...] + [shape[1]])
        let area = shape[2...].reduce(1, *)
        for n in 0..<shape[0] {
            for c in 0..<shape[1] {
                for p in 0..<area {
                    #expect(
                        last.values[(n * area + p) * shape[1] + c] == values[(n * shape[1] + c) * area + p])
                }
            }
        }
        let back = AxisOrder.channelsSecond(last.values, shape: last.shape)
        #expect(back.values == values && back.shape == shape)
    }

    @Test func `matrices and vectors stay`() {
        #expect(AxisOrder.channelsLast([1, 2, 3, 4, 5, 6], shape: [2, 3]).values == [1, 2, 3, 4, 5, 6])
    }
}

@Suite struct ComparisonTests {
    private func compare(_ computed: [Double], _ expected: [Double], shape: [Int]) -> Comparison {
        Comparison(name: "y", computed, shape: shape, expected: expected, shape: [2, 3])
    }

    @Test func `names the worst element relative to the reference's RMS`() {
        let comparison = compare([1, 1, 1, 1, 1.5, 1], [1, 1, 1, 1, 1, 1], shape: [2, 3])
        #expect(comparison.error == 0.5 && comparison.worstIndex == [1, 1])
        #expect(comparison.description == "y: error 5.00e-01 of RMS at [1, 1]: 1.5, the reference has 1.0")
    }

    @Test func `what is not finite is infinitely wrong unless the reference is so too`() {
        #expect(compare([1, .nan, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], shape: [2, 3]).error == .infinity)
        #expect(compare([1, 1, 1, 1, 1, 1], [1, .nan, 1, 1, 1, 1], shape: [2, 3]).error == .infinity)
        #expect(
            compare([1, .nan, .infinity, 1, 1, 1], [1, .nan, .infinity, 1, 1, 1], shape: [2, 3]).error == 0)
        #expect(
            compare([1, 1, -.infinity, 1, 1, 1], [1, 1, .infinity, 1, 1, 1], shape: [2, 3]).error == .infinity
        )
    }

    @Test func `another shape is never equal, a zero reference is compared absolutely`() {
        let other = compare([1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], shape: [3, 2])
        #expect(other.error == .infinity && other.description == "y: shape [3, 2], the reference has [2, 3]")
        #expect(compare([0, 0, 0.25, 0, 0, 0], [0, 0, 0, 0, 0, 0], shape: [2, 3]).error == 0.25)
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1.00e+00"), (1.2345e-6, "1.23e-06"), (9.999, "1.00e+01"), (-123_456, "-1.23e+05"),
    ])
    func `errors are short`(_ value: Double, _ text: String) { #expect(Comparison.short(value) == text) }
}

@Suite struct FixtureTests {
    @Test func `groups, configuration and source of a case are reachable`() throws {
        let fixture = try Fixture(path: TestData.fixture("denoise/layernorm2d.safetensors"))
        #expect(fixture.name == "layernorm2d")
        #expect(try fixture.integer("channels") == 8)
        #expect(try fixture.number("eps") == 1e-6)
        #expect(fixture.source.contains("LayerNorm2d"))
        #expect(Set(fixture.parameters.map(\.name)) == ["weight", "bias"])
        #expect(fixture.metadata("fp32_noise")?["output"]?.number != nil)
        let x = try fixture.input("x")
        #expect(x.shape.count == 4 && x.channelsLastTensor.shape.channels == x.shape[1])
        #expect(Comparison(name: "x", channelsLast: x.channelsLastTensor, expected: x).error == 0)
        #expect(try fixture.inputGradient("x").shape == x.shape)
        let error = #expect(throws: CheckpointFileError.self) { try fixture.integer("width") }
        #expect(error?.problem == "its config needs a whole number under \"width\", found nothing")
    }

    @Test(.enabled(if: TestData.fixtures != nil, "the full set of parity cases is not on this machine"))
    func `every case of the full set reads`() throws {
        let root = try #require(TestData.fixtures)
        var count = 0
        for area in try folderContents(root) {
            for reference in ParityCase.all(area) {
                let fixture = try reference.fixture()
                #expect(fixture.file.tensors.allSatisfy { $0.floats.count == $0.elementCount }, "\(fixture)")
                count += 1
            }
        }
        #expect(count > 100)
    }
}
