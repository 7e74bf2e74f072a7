/// A value inside a `.pth` file: the saved dictionary, a setting, a number.
public struct TorchValue: Sendable {
    let graph: PickleGraph
    let value: PickleValue

    /// The member of a dictionary, or the attribute of an object such as an `argparse.Namespace`; of several
    /// equal keys the last.
    public subscript(key: String) -> TorchValue? {
        let pairs: [(key: PickleValue, value: PickleValue)]
        switch graph.node(value) {
        case .dictionary(let members): pairs = members
        case .object(let object):
            guard case .dictionary(let state) = graph.node(object.state) else { return nil }
            pairs = object.pairs + state
        default: return nil
        }
        let found = pairs.last { if case .string(key) = $0.key { true } else { false } }
        return found.map { TorchValue(graph: graph, value: $0.value) }
    }

    /// The texts among the keys of a dictionary, in its order.
    public var keys: [String] {
        guard case .dictionary(let pairs) = graph.node(value) else { return [] }
        return pairs.compactMap { if case .string(let key) = $0.key { key } else { nil } }
    }

    public var integer: Int? { if case .integer(let number) = value { number } else { nil } }
    public var string: String? { if case .string(let text) = value { text } else { nil } }
    public var bool: Bool? { if case .bool(let flag) = value { flag } else { nil } }
    public var number: Double? {
        switch value {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// `module.Class` of an object this reader gives no meaning to, or the name of a class.
    public var className: String? {
        if case .global(let name) = value { return name }
        if case .object(let object) = graph.node(value) { return object.className }
        return nil
    }

    /// Settings as JSON: dictionaries, lists, texts and numbers; an object becomes its attributes, a tensor its
    /// shape in words, whatever is nested too deep or repeated without end an ellipsis.
    public var json: JSONValue {
        var budget = 100_000
        return json(value, depth: 0, &budget)
    }

    private func json(_ value: PickleValue, depth: Int, _ budget: inout Int) -> JSONValue {
        budget -= 1
        guard depth < 32, budget > 0 else { return "…" }
        switch value {
        case .none: return nil
        case .bool(let flag): return .bool(flag)
        case .integer(let number): return .integer(number)
        case .number(let number): return .number(number)
        case .string(let text): return .string(text)
        case .long(let digits): return .string("<\(digits.count)-byte number>")
        case .bytes(let bytes): return .string("<\(bytes.count) bytes>")
        case .global(let name): return .string("<\(name)>")
        case .node(let index): return json(graph.nodes[index], depth: depth, &budget)
        }
    }

    private func json(_ node: PickleNode, depth: Int, _ budget: inout Int) -> JSONValue {
        switch node {
        case .tuple(let items), .list(let items):
            return .array(items.map { json($0, depth: depth + 1, &budget) })
        case .dictionary(let pairs):
            var members: [String: JSONValue] = [:]
            for (key, value) in pairs {
                let name = json(key, depth: depth + 1, &budget)
                members[name.string ?? name.text] = json(value, depth: depth + 1, &budget)
            }
            return .object(members)
        case .object(let object):
            if case .dictionary(let pairs) = graph.node(object.state) {
                return json(.dictionary(pairs), depth: depth, &budget)
            }
            return .string("<\(object.className)>")
        case .tensor(let tensor): return .string("<tensor \(tensor.shape.prefix(16))>")
        case .storage: return "<storage>"
        }
    }
}
