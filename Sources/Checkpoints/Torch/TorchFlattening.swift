/// Walks a pickle's graph and names every tensor by the path to it.
struct TorchFlattening {
    let graph: PickleGraph
    let file: String

    /// Nobody nests a model deeper, and a graph that names one node many times must not be walked for ever.
    private static let deepest = 64
    private static let mostVisits = 1_000_000

    /// In the order of the file.
    func tensors(under root: PickleValue) throws -> [(name: String, tensor: TorchTensorReference)] {
        var found: [(name: String, tensor: TorchTensorReference)] = []
        var visits = 0
        try visit(root, path: "", depth: 0, &visits, &found)
        return found
    }

    private func visit(
        _ value: PickleValue, path: String, depth: Int, _ visits: inout Int,
        _ found: inout [(name: String, tensor: TorchTensorReference)]
    ) throws {
        guard let node = graph.node(value) else { return }
        visits += 1
        guard depth < Self.deepest, visits < Self.mostVisits else {
            throw CheckpointFileError(
                file: file,
                problem: "is nested deeper than \(Self.deepest), or without end, at \"\(path.prefix(100))\"")
        }
        func descend(_ value: PickleValue, _ name: String) throws {
            try visit(value, path: path.isEmpty ? name : path + "." + name, depth: depth + 1, &visits, &found)
        }
        switch node {
        case .tensor(let tensor): found.append((path, tensor))
        case .dictionary(let pairs):
            for (key, value) in pairs { if let key = name(key) { try descend(value, key) } }
        case .list(let items), .tuple(let items):
            for (index, item) in items.enumerated() { try descend(item, String(index)) }
        case .object(let object): for (name, value) in members(object) { try descend(value, name) }
        case .storage: break
        }
    }

    /// A module's parameters, buffers and children; of any other object, everything it holds.
    private func members(_ object: PickleObject) -> [(String, PickleValue)] {
        let state = named(object.state)
        let parts = ["_parameters", "_buffers", "_modules"].compactMap { part in state.first { $0.0 == part }
        }
        if !parts.isEmpty { return parts.flatMap { named($0.1) } }
        return state + object.pairs.compactMap { pair in name(pair.key).map { ($0, pair.value) } }
            + object.items.enumerated().map { (String($0), $1) }
    }

    private func named(_ value: PickleValue) -> [(String, PickleValue)] {
        guard case .dictionary(let pairs) = graph.node(value) else { return [] }
        return pairs.compactMap { pair in name(pair.key).map { ($0, pair.value) } }
    }

    private func name(_ key: PickleValue) -> String? {
        switch key {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }
}
