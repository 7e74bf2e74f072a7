import Archives

/// A PyTorch `.pth`/`.pt` file opened for reading: its values, and its tensors by name.
///
/// Both containers are read: the zip of PyTorch 1.6 and later, and the older run of pickles, also those that
/// hold a whole module. Nothing in the file is executed or imported.
///
/// ```swift
/// let file = try TorchFile(path: "DiCo-XL.pt")
/// let width = file.root["args"]?["model"]?.string
/// let weights = try file.stateDictionary()
/// ```
public struct TorchFile: Sendable {
    public let path: String
    private let graph: PickleGraph
    private let storages: TorchStorages

    /// Where weights are looked for, best first: averaged ones sample better than the last step's.
    public static let usualContainers = [
        "ema", "params_ema", "ema_state_dict", "model_ema", "state_dict", "params", "model", "module", "net",
    ]

    /// - Throws: `FileError` when the file cannot be read; `CheckpointFileError` or `ArchiveError` when it is not
    ///   of PyTorch, damaged, or hostile.
    public init(path: String) throws { try self.init(MappedFile(path: path).slice, path: path) }

    public init(_ bytes: ByteSlice, path: String) throws {
        self.path = path
        (graph, storages) =
            ZipArchive.isZip(bytes)
            ? try TorchContainer.zip(ZipArchive(bytes, file: path))
            : try TorchContainer.legacy(bytes, file: path)
    }

    /// Whether the data begins like a file of PyTorch.
    public static func isTorch(_ bytes: ByteSlice) -> Bool {
        ZipArchive.isZip(bytes) || (bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1]))
    }

    /// What was saved.
    public var root: TorchValue { TorchValue(graph: graph, value: graph.root) }

    /// The weights under their published names.
    ///
    /// Looked for in the first of `containers` that holds tensors, else in the saved value itself. The prefixes
    /// `module.` and `_orig_mod.`, which parallel training and compilation put before every name, are removed.
    ///
    /// - Parameter containers: keys of the saved dictionary, best first.
    /// - Throws: `CheckpointFileError` when there is no tensor, or one does not fit its storage.
    public func stateDictionary(containers: [String] = usualContainers) throws -> [StoredTensor] {
        for value in containers.compactMap({ root[$0] }) + [root] {
            let found = try TorchFlattening(graph: graph, file: path).tensors(under: value.value)
            if !found.isEmpty { return try materialize(found) }
        }
        throw CheckpointFileError(file: path, problem: "holds no tensors")
    }

    /// Every tensor anywhere in `value`, named by the path to it with dots.
    public func tensors(under value: TorchValue) throws -> [StoredTensor] {
        try materialize(
            try TorchFlattening(graph: graph, file: path).tensors(under: value.value), strip: false)
    }

    private func materialize(
        _ found: [(name: String, tensor: TorchTensorReference)], strip: Bool = true
    ) throws -> [StoredTensor] {
        var found = found
        if strip {
            while let prefix = commonPrefix(found.map(\.name)) {
                for index in found.indices { found[index].name.removeFirst(prefix.count) }
            }
        }
        var names: Set<String> = []
        for (name, _) in found where !names.insert(name).inserted {
            throw CheckpointFileError(file: path, tensor: name, problem: "occurs twice")
        }
        var storages = storages
        return try found.map { try storages.tensor($0.name, $0.tensor) }
    }

    private func commonPrefix(_ names: [String]) -> String? {
        ["module.", "_orig_mod."].first { prefix in
            names.allSatisfy { $0.hasPrefix(prefix) && $0.count > prefix.count }
        }
    }
}

/// The two ways PyTorch lays pickles and storages into a file.
private enum TorchContainer {
    static func zip(_ archive: ZipArchive) throws -> (PickleGraph, TorchStorages) {
        guard
            let pickle = archive.entries.first(where: {
                $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl")
            })
        else {
            throw CheckpointFileError(
                file: archive.file, problem: "is a zip without data.pkl, not a file of PyTorch")
        }
        let prefix = String(pickle.name.dropLast("data.pkl".count))
        if archive.entry(named: prefix + "constants.pkl") != nil {
            throw CheckpointFileError(
                file: archive.file,
                problem: "is a compiled TorchScript program; save the state_dict of the model")
        }
        if let order = archive.entry(named: prefix + "byteorder"),
            try archive.contents(of: order, limit: 64).text != "little"
        {
            throw CheckpointFileError(
                file: archive.file, problem: "has big-endian numbers, which are not read")
        }
        var machine = PickleMachine(try archive.contents(of: pickle), file: archive.file)
        return (try machine.run(), TorchStorages(archive, prefix: prefix))
    }

    /// Magic number, version, system facts, the value, storage keys; then each storage's element count and bytes.
    static func legacy(_ bytes: ByteSlice, file: String) throws -> (PickleGraph, TorchStorages) {
        guard TorchFile.isTorch(bytes) else {
            throw CheckpointFileError(
                file: file, problem: "is not a file of PyTorch (neither zip nor pickle)")
        }
        var position = 0
        func next() throws -> PickleGraph {
            var machine = PickleMachine(bytes, at: position, file: file)
            defer { position = machine.position }
            return try machine.run()
        }
        let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
        guard case .long(let digits) = try next().root, digits == magic else {
            throw CheckpointFileError(file: file, problem: "is a pickle, but none that PyTorch saved")
        }
        guard case .integer(1001) = try next().root else {
            throw CheckpointFileError(file: file, problem: "has an unknown version of PyTorch's older format")
        }
        let system = try next()
        guard TorchValue(graph: system, value: system.root)["little_endian"]?.bool != false else {
            throw CheckpointFileError(file: file, problem: "has big-endian numbers, which are not read")
        }
        let graph = try next()
        let keys = try next()
        let types = elementTypes(graph)

        var positions: [String: (start: Int, count: Int)] = [:]
        for item in keys.items(keys.root) ?? [] {
            guard case .string(let key) = item, let type = types[key],
                let count: Int64 = bytes.integer(at: position),
                count >= 0, count <= (bytes.count - position - 8) / type.byteCount
            else {
                throw CheckpointFileError(
                    file: file, problem: "is cut short or damaged where its storages lie")
            }
            positions[key] = (position + 8, Int(count) * type.byteCount)
            position += 8 + Int(count) * type.byteCount
        }
        return (graph, TorchStorages(legacy: positions, in: bytes, file: file))
    }

    private static func elementTypes(_ graph: PickleGraph) -> [String: StoredType] {
        var types: [String: StoredType] = [:]
        for case .storage(let storage) in graph.nodes { types[storage.key] = storage.type }
        return types
    }
}
