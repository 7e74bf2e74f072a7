import Archives
import Checkpoints
import TestSupport
import Testing

@testable import Recipes

/// Cases of LINA and MAR, damaged in many ways: whatever is wrong, the verifier says so and goes on.
@Suite struct LINADamageTests {
    /// The representative ones, which come with the repository.
    static let cases = ParityCase.all("lina").filter {
        fileExists(joinPath(TestData.vendored, "lina/" + $0.description))
    }

    @Test(arguments: cases)
    func `a damaged case is reported as a failure`(_ reference: ParityCase) throws {
        let fixture = try reference.fixture()
        try withTemporaryFolder { folder in
            func verdict(_ tensors: [StoredTensor], _ config: JSONValue) throws -> VerificationReport {
                var metadata = fixture.file.metadata
                metadata["config"] = config.text
                let path = folder + "/case.safetensors"
                try SafetensorsFile.write(tensors.map { OutgoingTensor($0) }, metadata: metadata, to: path)
                return Verifier().verify(path: path)
            }
            let tensors = fixture.file.tensors
            for index in tensors.indices where tensors[index].name.hasPrefix("input.") {
                var changed = tensors
                for damaged in Self.damaged(tensors[index]) {
                    changed[index] = damaged
                    _ = try verdict(changed, fixture.config)
                }
                changed.remove(at: index)
                _ = try verdict(changed, fixture.config)
            }
            for (key, value) in fixture.config.object ?? [:] {
                for replacement in Self.replacements(value) {
                    var members = fixture.config.object ?? [:]
                    members[key] = replacement
                    _ = try verdict(tensors, .object(members))
                }
            }
            let short = tensors.map { $0.name.hasPrefix("output.") ? Self.shortened($0) : $0 }
            #expect(try !verdict(short, fixture.config).passes)
            let parameter = tensors.firstIndex { $0.name.hasPrefix("param.") }
            guard let parameter else { return }
            var fewer = tensors
            fewer.remove(at: parameter)
            #expect(try !verdict(fewer, fixture.config).passes)
        }
    }

    /// One row fewer, one axis more, and other numbers.
    private static func damaged(_ tensor: StoredTensor) -> [StoredTensor] {
        let more = StoredTensor(name: tensor.name, shape: [1] + tensor.shape, doubles: tensor.doubles)
        let other =
            tensor.type == .int64
            ? StoredTensor(
                name: tensor.name, shape: tensor.shape, integers: tensor.integers.map { $0 * 7919 - 3 })
            : StoredTensor(name: tensor.name, shape: tensor.shape, doubles: tensor.doubles.map { -3 * $0 })
        return [shortened(tensor), more, other]
    }

    private static func shortened(_ tensor: StoredTensor) -> StoredTensor {
        let rows = max((tensor.shape.first ?? 1) - 1, 0)
        let shape = [rows] + tensor.shape.dropFirst()
        return StoredTensor(
            name: tensor.name, shape: shape, doubles: Array(tensor.doubles.prefix(shape.reduce(1, *))))
    }

    private static func replacements(_ value: JSONValue) -> [JSONValue] {
        switch value {
        case .integer, .number: [0, -1, 1, 1.5, "text", nil]
        case .string: ["unknown", "", 3, nil]
        case .bool(let flag): [.bool(!flag), nil]
        case .array: [[], [1], [0, 3], [2, 3], ["text"], nil]
        case .object, .null: [["scale": 2], [:], nil, 3]
        }
    }
}
