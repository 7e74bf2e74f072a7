import Archives
import Checkpoints
import TestSupport
import Tensors
import Testing

@Suite struct QuantizedTensorsTests {
    private static let weights = QuantizedWeights(
        shape: [2, 3, 1, 1], integers: [127, -127, 0, 1, 2, -3], scales: [0.5, 0.25],
        input: InputQuantization(scale: 0.1, zeroPoint: 7, isSigned: false), channelFactors: [1, 2, 0.5],
        corrections: [0.125, -1])

    private func write(_ tensors: [StoredTensor], _ folder: String) throws -> String {
        let path = joinPath(folder, "q.safetensors")
        try Checkpoint.write(tensors.map { OutgoingTensor($0) }, config: ["a": 1], to: path)
        return path
    }

    @Test func `quantised weights are read back, and stand among the others as numbers`() throws {
        try withTemporaryFolder { folder in
            let other = StoredTensor(name: "other", shape: [2], floats: [1, 2])
            let path = try write(Self.weights.stored(name: "conv.weight") + [other], folder)
            let checkpoint = try Checkpoint(path: path)
            #expect(Set(checkpoint.tensors.map(\.name)) == ["conv.weight", "other"])
            let read = try #require(checkpoint.quantized["conv.weight"])
            #expect(read.integers == Self.weights.integers && read.scales == Self.weights.scales)
            #expect(read.input == Self.weights.input && read.corrections == Self.weights.corrections)
            let values = try #require(checkpoint.weights["conv.weight"])
            #expect(values.scalars == [63.5, -31.75, 0, 0.25, 0.25, -1.5])
            #expect(values.isQuantized)
            #expect(checkpoint.weights["other"]?.isQuantized == false)
            try checkpoint.verify()
        }
    }

    @Test(arguments: [
        ("conv.weight.scale", [Float(0), 1], "positive scales"),
        ("conv.weight.factor", [Float(1)], "positive scales and factors"),
        ("conv.weight.correction", [Float.nan, 0], "finite corrections"),
        ("conv.weight.input", [Float(1), 300, 0], "a zero point in 0…255"),
        ("conv.weight.input", [Float(1), 3, -128], "a zero point in 0…255"),
    ]) func `numbers that make no sense are said`(_ name: String, _ values: [Float], _ problem: String) throws
    {
        try withTemporaryFolder { folder in
            let tensors = Self.weights.stored(name: "conv.weight").map {
                $0.name == name ? StoredTensor(name: name, shape: [values.count], floats: values) : $0
            }
            let path = try write(tensors, folder)
            let error = #expect(throws: CheckpointFileError.self) { try Checkpoint(path: path) }
            #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("conv.weight") == true)
        }
    }
}
