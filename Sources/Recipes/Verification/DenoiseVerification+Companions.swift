import Archives
import Backbones
import Checkpoints
import Layers
import Tensors

// Files beside the cases that are no safetensors themselves.
extension DenoiseVerification {
    /// What a companion file is compared with; nil for a file of another kind.
    ///
    /// `NAME_*.pth` is one of the files that `NAME_expected.safetensors` beside it describes. A JSON object whose members
    /// have `tensors` (name to shape) and `num_params` lists what published checkpoints hold.
    static func verifyCompanion(path: String) throws -> VerificationResult? {
        if path.hasSuffix(".pth") { return try torchCompanion(path) }
        if path.hasSuffix(".json") { return try checkpointIndex(path) }
        return nil
    }

    private static func torchCompanion(_ path: String) throws -> VerificationResult {
        let (folder, name) = splitPath(path)
        let suffix = "_expected.safetensors"
        let described = try folderContents(folder).first {
            $0.hasSuffix(suffix) && name.hasPrefix($0.dropLast(suffix.count) + "_")
        }
        guard let described else {
            throw UnsupportedFixture(
                "a PyTorch file is compared with NAME\(suffix) beside it, and there is none")
        }
        return try compare(torchFile: path, with: Fixture(path: joinPath(folder, described)))
    }

    /// Builds every network of an index and compares names, shapes and number of parameters.
    private static func checkpointIndex(_ path: String) throws -> VerificationResult {
        let bytes = try MappedFile(path: path).slice
        let index = try bytes.withBytes { try JSONValue(parsing: $0) }.object ?? [:]
        var result = VerificationResult()
        for (name, entry) in index.sorted(by: { $0.key < $1.key }) {
            guard let tensors = entry["tensors"]?.object, let count = entry["num_params"]?.integer else {
                throw UnsupportedFixture(
                    "\(name) has no tensors and num_params, so this is no index of checkpoints")
            }
            let shapes = try tensors.mapValues { value -> Shape in
                guard let extents = value.integers, extents.allSatisfy({ $0 >= 0 }) else {
                    throw UnsupportedFixture("\(name): \(value.text) is no shape")
                }
                return Shape(extents)
            }
            let store = ParameterStore(.shapesOnly, isTracked: false)
            _ = try RestorationNetwork(inferredFrom: shapes).makeRestorer(store.scope)
            let built = Dictionary(uniqueKeysWithValues: store.shapes.map { ($0.name, $0.shape) })
            let differing = Set(built.keys).union(shapes.keys).filter { built[$0] != shapes[$0] }
            result.addOutput(
                Comparison(
                    name: "\(name), names and shapes that differ", [Double(differing.count)], shape: [1],
                    expected: [0], shape: [1]), within: 0)
            result.addOutput(
                Comparison(
                    name: "\(name), number of parameters", [Double(store.scalarCount)], shape: [1],
                    expected: [Double(count)], shape: [1]), within: 0)
        }
        return result
    }

    /// Every tensor of a PyTorch file, which must be one of the expected ones, to the last bit.
    static func compare(torchFile path: String, with fixture: Fixture) throws -> VerificationResult {
        var result = VerificationResult()
        for tensor in try TorchFile(path: path).stateDictionary() {
            guard let expected = fixture.file[tensor.name] else {
                throw CheckpointFileError(file: path, tensor: tensor.name, problem: "is not expected")
            }
            guard tensor.type == expected.type else {
                throw CheckpointFileError(
                    file: path, tensor: tensor.name, problem: "is \(tensor.type), expected \(expected.type)")
            }
            result.addOutput(
                Comparison(
                    name: "\(splitPath(path).name): \(tensor.name)", tensor.doubles, shape: tensor.shape,
                    expected: expected.doubles, shape: expected.shape), within: 0)
        }
        return result
    }
}
