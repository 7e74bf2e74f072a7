/// What PyTorch's pickles mean by the few names that this reader understands. Every other name makes an inert
/// record.
enum TorchMeaning {
    /// The value that calling `callee` with `arguments` stands for.
    static func call(_ callee: PickleValue, arguments: [PickleValue], in graph: inout PickleGraph)
        -> PickleValue
    {
        guard case .global(let name) = callee else {
            return add(.object(PickleObject(className: "?", arguments: arguments)), to: &graph)
        }
        switch name {
        case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor",
            "torch._utils._rebuild_tensor_v3":
            if let tensor = tensor(arguments, graph) { return add(.tensor(tensor), to: &graph) }
        case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
            "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer":
            if let first = arguments.first { return first }
        case "torch._tensor._rebuild_from_type_v2":
            if arguments.count >= 3, let inner = graph.items(arguments[2]) {
                // A hostile file could nest this for ever; the inner call is looked at once, never through itself.
                if case .global(let callee) = arguments[0], callee != name {
                    return call(arguments[0], arguments: inner, in: &graph)
                }
            }
        case "collections.OrderedDict": return add(.dictionary(pairs(arguments, graph)), to: &graph)
        case "torch.Size": return add(.tuple(arguments.first.flatMap(graph.items) ?? []), to: &graph)
        default: break
        }
        return add(.object(PickleObject(className: name, arguments: arguments)), to: &graph)
    }

    /// The value a persistent identifier stands for: a storage, or the class of a whole-module pickle.
    static func persistent(_ identifier: PickleValue, in graph: inout PickleGraph) -> PickleValue {
        if let parts = graph.items(identifier), parts.count >= 2, case .string(let kind) = parts[0] {
            if kind == "module" { return parts[1] }
            if kind == "storage", let storage = storage(parts, graph) {
                return add(.storage(storage), to: &graph)
            }
        }
        return add(
            .object(PickleObject(className: "persistent identifier", arguments: [identifier])), to: &graph)
    }

    /// `('storage', class, key, location, count[, view])`; a view is `(key, offset, count)`.
    private static func storage(_ parts: [PickleValue], _ graph: PickleGraph) -> TorchStorageReference? {
        guard parts.count >= 5, case .global(let className) = parts[1], let key = key(parts[2]),
            case .integer(let count) = parts[4], count >= 0
        else { return nil }
        var storage = TorchStorageReference(key: key, type: scalarTypes[className], count: count)
        if parts.count > 5, let view = graph.items(parts[5]) {
            guard view.count == 3, case .integer(let offset) = view[1], case .integer(let size) = view[2],
                offset >= 0,
                size >= 0
            else { return nil }
            (storage.offset, storage.count) = (offset, size)
        }
        return storage
    }

    /// `(storage, offset, shape, strides, …)`.
    private static func tensor(_ arguments: [PickleValue], _ graph: PickleGraph) -> TorchTensorReference? {
        guard arguments.count >= 4, case .storage(var storage) = graph.node(arguments[0]),
            case .integer(let offset) = arguments[1], let shape = graph.integers(arguments[2]),
            let strides = graph.integers(arguments[3]), shape.count == strides.count
        else { return nil }
        // The third form names the scalar type in its seventh argument, over a storage of bytes.
        if arguments.count >= 7, case .global(let name) = arguments[6], let type = scalarTypes[name] {
            (storage.type, storage.count) = (type, storage.count / type.byteCount)
        }
        return TorchTensorReference(storage: storage, offset: offset, shape: shape, strides: strides)
    }

    private static func key(_ value: PickleValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }

    /// `OrderedDict([(key, value), …])`, as Python 2 wrote it.
    private static func pairs(
        _ arguments: [PickleValue], _ graph: PickleGraph
    ) -> [(key: PickleValue, value: PickleValue)] {
        guard let first = arguments.first, let items = graph.items(first) else { return [] }
        return items.compactMap { item in
            guard let pair = graph.items(item), pair.count == 2 else { return nil }
            return (pair[0], pair[1])
        }
    }

    private static func add(_ node: PickleNode, to graph: inout PickleGraph) -> PickleValue {
        graph.nodes.append(node)
        return .node(graph.nodes.count - 1)
    }

    private static let scalarTypes: [String: StoredType] = [
        "torch.FloatStorage": .float32, "torch.DoubleStorage": .float64, "torch.HalfStorage": .float16,
        "torch.BFloat16Storage": .bfloat16, "torch.LongStorage": .int64, "torch.IntStorage": .int32,
        "torch.ShortStorage": .int16, "torch.CharStorage": .int8, "torch.ByteStorage": .uint8,
        "torch.BoolStorage": .bool, "torch.cuda.FloatStorage": .float32, "torch.cuda.DoubleStorage": .float64,
        "torch.cuda.HalfStorage": .float16, "torch.cuda.LongStorage": .int64,
        "torch.float32": .float32, "torch.float64": .float64, "torch.float16": .float16,
        "torch.bfloat16": .bfloat16, "torch.int64": .int64, "torch.int32": .int32, "torch.int16": .int16,
        "torch.int8": .int8, "torch.uint8": .uint8, "torch.bool": .bool,
    ]
}
