import Checkpoints

/// Where a feature network's parameters come from: a name and a shape in, numbers out.
public struct WeightSource: Sendable {
    private let prefix: String
    private let load: @Sendable (_ name: String, _ shape: [Int]) throws -> [Float]

    public init(load: @escaping @Sendable (_ name: String, _ shape: [Int]) throws -> [Float]) {
        (prefix, self.load) = ("", load)
    }

    /// The tensors of a file, under their own names or behind a prefix.
    public init(_ file: SafetensorsFile, prefix: String = "") {
        self.init { name, shape in
            let stored = try file.tensor(named: prefix + name)
            guard stored.shape == shape else {
                throw CheckpointFileError(
                    file: file.path, tensor: prefix + name,
                    problem: "is \(stored.shape), the network needs \(shape)")
            }
            return stored.floats
        }
    }

    /// The tensors of any file of weights, under their published names.
    public init(_ tensors: [StoredTensor], file: String) {
        let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
        self.init { name, shape in
            guard let stored = byName[name] else {
                throw CheckpointFileError(
                    file: file, tensor: name,
                    problem: "is missing; the file holds \(byName.count) tensors of another network")
            }
            guard stored.shape == shape else {
                throw CheckpointFileError(
                    file: file, tensor: name, problem: "is \(stored.shape), the network needs \(shape)")
            }
            return stored.floats
        }
    }

    private init(prefix: String, _ source: WeightSource) { (self.prefix, load) = (prefix, source.load) }

    /// The parameters whose names continue with `name` and a dot.
    static func / (source: WeightSource, name: String) -> WeightSource {
        WeightSource(prefix: source.prefix + name + ".", source)
    }

    func callAsFunction(_ name: String, _ shape: [Int]) throws -> [Float] { try load(prefix + name, shape) }
}
