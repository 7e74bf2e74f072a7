import Archives
import Checkpoints
import TestSupport
import Testing

@testable import Recipes

/// A next-frequency case of every kind, damaged in many ways: whatever is wrong, the verifier says so and goes on.
@Suite struct NFIGDamageTests {
    static let cases = ParityCase.all("nfig").filter {
        fileExists(joinPath(TestData.vendored, "nfig/" + $0.description))
    }

    @Test(arguments: cases)
    func `a damaged case is reported as a failure`(_ reference: ParityCase) throws {
        let fixture = try reference.fixture()
        try withTemporaryFolder { folder in
            let path = folder + "/case.safetensors"
            func verdict(_ tensors: [StoredTensor], _ config: JSONValue) throws -> VerificationReport {
                var metadata = fixture.file.metadata
                metadata["config"] = config.text
                try SafetensorsFile.write(tensors.map { OutgoingTensor($0) }, metadata: metadata, to: path)
                return Verifier().verify(path: path)
            }
            let tensors = fixture.file.tensors
            // Every input and output, and a few of the parameters, which are all checked alike.
            let parameters = tensors.indices.filter { tensors[$0].name.hasPrefix("param.") }
            let others = tensors.indices.filter {
                !tensors[$0].name.hasPrefix("param.") && !tensors[$0].name.hasPrefix("grad")
            }
            for index in others + parameters.prefix(3) {
                var fewer = tensors
                fewer.remove(at: index)
                _ = try verdict(fewer, fixture.config)
                for damaged in Self.damaged(tensors[index]) {
                    var changed = tensors
                    changed[index] = damaged
                    _ = try verdict(changed, fixture.config)
                }
            }
            for (key, value) in fixture.config.object ?? [:] {
                for replacement in Self.replacements(value) {
                    var members = fixture.config.object ?? [:]
                    members[key] = replacement
                    _ = try verdict(tensors, .object(members))
                }
            }
            let outputs = tensors.filter { $0.name.hasPrefix("output.") }
            let rest = tensors.filter { !$0.name.hasPrefix("output.") }
            #expect(try !verdict(rest + outputs.map(Self.shifted), fixture.config).passes)
        }
    }

    private static func damaged(_ tensor: StoredTensor) -> [StoredTensor] {
        let rows = max((tensor.shape.first ?? 1) - 1, 0)
        let shape = [rows] + tensor.shape.dropFirst()
        return [
            StoredTensor(
                name: tensor.name, shape: shape, doubles: Array(tensor.doubles.prefix(shape.reduce(1, *)))),
            StoredTensor(name: tensor.name, shape: [1] + tensor.shape, doubles: tensor.doubles),
            StoredTensor(
                name: tensor.name, shape: tensor.shape, integers: tensor.doubles.map { _ in 7919 }),
        ]
    }

    private static func shifted(_ tensor: StoredTensor) -> StoredTensor {
        StoredTensor(
            name: tensor.name, shape: tensor.shape, doubles: tensor.doubles.map { $0 + 1 }, as: tensor.type)
    }

    private static func replacements(_ value: JSONValue) -> [JSONValue] {
        switch value {
        case .integer, .number: [0, -1, 1, 1.5, "text", nil]
        case .string: ["unknown", "", 3, nil]
        case .bool(let flag): [.bool(!flag), nil]
        case .array: [[], [1], [0], [-1], [[1, 1]], ["text"], nil]
        case .object, .null: [["scale": 2], [:], nil, 3]
        }
    }
}
