import Archives
import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Recipes

@Suite struct DenoiseVerificationTests {
    /// Cases that need the published weights are there only with the data.
    static let cases = ParityCase.all("denoise").filter {
        TestData.data != nil || !$0.description.hasPrefix("published_")
    }

    @Test(.enabled(if: ParityCase.exist("denoise")), arguments: cases)
    func `every denoising case is rebuilt and agrees`(_ reference: ParityCase) {
        let report = Verifier().verify(path: reference.path)
        #expect(report.passes, "\(report.line)")
    }

    @Test(arguments: [
        "pth_tiny_zip.pth", "pth_tiny_legacy.pth", "pth_tiny_parameters_zip.pth", "state_dict_index.json",
    ])
    func `files beside the cases are compared with what describes them`(_ name: String) {
        let report = Verifier().verify(path: TestData.fixture("denoise/" + name))
        #expect(report.passes, "\(report.line)")
    }

    @Test func `a PyTorch file that nothing describes is reported`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/weights.pth"
            try FileManager.default.copyItem(
                atPath: TestData.fixture("denoise/pth_tiny_zip.pth"), toPath: path)
            let report = Verifier().verify(path: path)
            #expect(!report.passes)
            #expect(report.line.contains("weights.pth  not supported: a PyTorch file is compared with"))
        }
    }

    /// Small ones of every kind.
    static let small = cases.filter { reference in
        let large = [
            "metrics", "nafnet_grey", "nafnet_tlc", "nafnet_odd", "train_trace_nafnet", "published_",
        ]
        return !large.contains { reference.description.hasPrefix($0) }
    }

    @Test(arguments: small)
    func `a damaged case is reported as a failure`(_ reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let tensors = fixture.file.tensors
        try withTemporaryFolder { folder in
            func verdict(_ tensors: [StoredTensor], _ config: JSONValue) throws -> VerificationReport {
                var metadata = fixture.file.metadata
                metadata["config"] = config.text
                let path = folder + "/case.safetensors"
                try SafetensorsFile.write(tensors.map { OutgoingTensor($0) }, metadata: metadata, to: path)
                return Verifier().verify(path: path)
            }
            for index in tensors.indices where tensors[index].name.hasPrefix("input.") {
                var fewer = tensors
                fewer.remove(at: index)
                #expect(try !verdict(fewer, fixture.config).passes)
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
            for prefix in ["output.", "cotangent."] {
                let shortened = tensors.map { $0.name.hasPrefix(prefix) ? Self.shortened($0) : $0 }
                guard tensors.contains(where: { $0.name.hasPrefix(prefix) }) else { continue }
                #expect(try !verdict(shortened, fixture.config).passes, "shortened \(prefix)")
            }
        }
    }

    @Test(arguments: small.filter(\.hasParameters))
    func `one wrong weight is found`(_ reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let weights = fixture.file.tensors.indices.filter {
            let tensor = fixture.file.tensors[$0]
            return tensor.name.hasPrefix("param.") && tensor.name.hasSuffix("weight")
                && tensor.elementCount > 1
        }
        // A weight behind a unit that no pixel activates changes nothing and rightly passes, so others are tried.
        let isFound = try weights.contains { index in
            var tensors = fixture.file.tensors
            var values = tensors[index].doubles
            values[values.count / 2] += 0.01
            tensors[index] = StoredTensor(
                name: tensors[index].name, shape: tensors[index].shape, doubles: values, as: .float32)
            return try withTemporaryFolder { folder in
                let path = folder + "/case.safetensors"
                try SafetensorsFile.write(
                    tensors.map { OutgoingTensor($0) }, metadata: fixture.file.metadata, to: path)
                return !Verifier().verify(path: path).passes
            }
        }
        #expect(isFound)
    }

    private static func damaged(_ tensor: StoredTensor) -> [StoredTensor] {
        let type = tensor.type
        return [
            shortened(tensor),
            StoredTensor(name: tensor.name, shape: [1] + tensor.shape, doubles: tensor.doubles, as: type),
            StoredTensor(
                name: tensor.name, shape: tensor.shape, doubles: tensor.doubles.map { -3 * $0 }, as: .float32),
            StoredTensor(name: tensor.name, shape: [0], doubles: [], as: type),
        ]
    }

    private static func shortened(_ tensor: StoredTensor) -> StoredTensor {
        let rows = max((tensor.shape.first ?? 1) - 1, 0)
        let shape = [rows] + tensor.shape.dropFirst()
        return StoredTensor(
            name: tensor.name, shape: shape, doubles: Array(tensor.doubles.prefix(shape.reduce(1, *))),
            as: tensor.type.isFloatingPoint ? tensor.type : .float64)
    }

    private static func replacements(_ value: JSONValue) -> [JSONValue] {
        switch value {
        case .integer, .number: [0, -1, 2, 1.5, 1_000_000_000_000, "text", nil]
        case .string: ["unknown", "", 3, nil]
        case .bool(let flag): [.bool(!flag), nil]
        case .array: [[], [0], [-1, 2], [1_000_000], ["text"], nil]
        case .object, .null: [["scale": 2], [:], nil, 3]
        }
    }
}

extension ParityCase {
    fileprivate var hasParameters: Bool {
        ((try? fixture())?.parameters ?? []).contains { $0.name.hasSuffix("weight") && $0.elementCount > 1 }
    }
}
