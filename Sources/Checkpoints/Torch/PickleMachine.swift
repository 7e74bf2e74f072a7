import Archives

/// Runs a pickle's instructions (protocols 2 to 5) as a description of data.
///
/// Nothing is imported, looked up or called: a class is a name, an object a record of its parts. Tensors,
/// parameters, storages and ordered dictionaries get meaning (`TorchMeaning`). Each instruction adds a bounded
/// amount of memory, so a file can take no more than a multiple of its own size.
struct PickleMachine {
    let file: String
    private let bytes: ByteSlice
    /// The byte of the next instruction.
    private(set) var position: Int
    private(set) var graph = PickleGraph()

    /// Far more than any checkpoint needs; bounds memory to about a gigabyte whatever a file says.
    private static let mostInstructions = 8_000_000

    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]

    init(_ bytes: ByteSlice, at position: Int = 0, file: String) {
        self.bytes = bytes
        self.position = position
        self.file = file
    }

    /// Reads one pickle and leaves `position` behind it.
    /// - Throws: `CheckpointFileError` at the first instruction that makes no sense.
    mutating func run() throws -> PickleGraph {
        let start = position
        for _ in 0..<Self.mostInstructions {
            let here = position
            guard let code: UInt8 = bytes.integer(at: position) else {
                throw fault("ends without a stop", at: here)
            }
            position += 1
            guard let opcode = PickleOpcode(rawValue: code) else {
                let what = here == start ? "is no pickle" : "uses instruction 0x\(String(code, radix: 16))"
                throw fault("\(what), which is not read", at: here)
            }
            if opcode == .stop {
                guard let root = stack.popLast() else { throw fault("stops without a value", at: here) }
                graph.root = root
                return graph
            }
            do { try execute(opcode) } catch let problem as Malformed { throw fault(problem.what, at: here) }
        }
        throw fault("has more than \(Self.mostInstructions) instructions; it is refused", at: position)
    }

    private struct Malformed: Error { let what: String }

    private func fault(_ problem: String, at offset: Int) -> CheckpointFileError {
        CheckpointFileError(file: file, problem: "its pickle \(problem) (byte \(offset))")
    }

    private mutating func execute(_ opcode: PickleOpcode) throws {
        switch opcode {
        case .proto: try require(take(UInt8.self) <= 5, "has an unknown protocol")
        case .frame: _ = try take(UInt64.self)
        case .stop: break
        case .none: stack.append(.none)
        case .newTrue: stack.append(.bool(true))
        case .newFalse: stack.append(.bool(false))
        case .binInt, .binInt1, .binInt2, .long1, .long4, .binFloat: stack.append(try number(opcode))
        case .binUnicode, .shortBinUnicode, .binUnicode8, .binString, .shortBinString, .binBytes,
            .shortBinBytes,
            .binBytes8, .byteArray8:
            stack.append(try text(opcode))
        case .mark: marks.append(stack.count)
        case .pop: _ = try pop()
        case .popMark: _ = try popToMark()
        case .dup: stack.append(try top())
        case .binGet: try recall(Int(take(UInt8.self)))
        case .longBinGet: try recall(Int(take(UInt32.self)))
        case .binPut: memo[Int(try take(UInt8.self))] = try top()
        case .longBinPut: memo[Int(try take(UInt32.self))] = try top()
        case .memoize: memo[memo.count] = try top()
        case .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3, .emptyList, .list, .emptyDict, .dict, .emptySet,
            .frozenSet:
            try container(opcode)
        case .append, .appends, .addItems, .setItem, .setItems: try fill(opcode)
        case .global, .stackGlobal, .reduce, .newObject, .newObjectEx, .build, .binPersistentID:
            try object(opcode)
        }
    }

    // MARK: Scalars

    private mutating func number(_ opcode: PickleOpcode) throws -> PickleValue {
        switch opcode {
        case .binInt: return .integer(Int(try take(Int32.self)))
        case .binInt1: return .integer(Int(try take(UInt8.self)))
        case .binInt2: return .integer(Int(try take(UInt16.self)))
        case .binFloat:
            return .number(Double(bitPattern: try take(UInt64.self).byteSwapped))
        default:
            let count = opcode == .long1 ? Int(try take(UInt8.self)) : Int(try take(Int32.self))
            let digits = try take(count: count).array
            guard digits.count <= 8 else { return .long(digits) }
            let negative = digits.last.map { $0 >= 0x80 } ?? false
            let value = digits.reversed().reduce(negative ? -1 : 0) { $0 << 8 | Int($1) }
            return .integer(value)
        }
    }

    private mutating func text(_ opcode: PickleOpcode) throws -> PickleValue {
        let count =
            switch opcode {
            case .shortBinUnicode, .shortBinString, .shortBinBytes: Int(try take(UInt8.self))
            case .binUnicode8, .binBytes8, .byteArray8: Int(clamping: try take(UInt64.self))
            default: Int(try take(UInt32.self))
            }
        let data = try take(count: count)
        switch opcode {
        case .binUnicode, .shortBinUnicode, .binUnicode8:
            guard let text = data.text else { throw Malformed(what: "has a text that is not UTF-8") }
            return .string(text)
        // Python 2's texts; its names are ASCII.
        case .binString, .shortBinString: return data.text.map(PickleValue.string) ?? .bytes(data.array)
        default: return .bytes(data.array)
        }
    }

    // MARK: Containers

    private mutating func container(_ opcode: PickleOpcode) throws {
        switch opcode {
        case .emptyTuple: push(.tuple([]))
        case .tuple1: push(.tuple(try pop(1)))
        case .tuple2: push(.tuple(try pop(2)))
        case .tuple3: push(.tuple(try pop(3)))
        case .tuple: push(.tuple(try popToMark()))
        case .emptyList: push(.list([]))
        case .list: push(.list(try popToMark()))
        case .emptyDict: push(.dictionary([]))
        case .dict: push(.dictionary(try pairs(try popToMark())))
        case .emptySet: push(.object(PickleObject(className: "set")))
        default: push(.object(PickleObject(className: "frozenset", items: try popToMark())))
        }
    }

    private mutating func fill(_ opcode: PickleOpcode) throws {
        switch opcode {
        case .append: try add(items: pop(1))
        case .appends, .addItems: try add(items: popToMark())
        case .setItem: try add(pairs: pairs(pop(2)))
        default: try add(pairs: pairs(popToMark()))
        }
    }

    private func pairs(_ items: [PickleValue]) throws -> [(key: PickleValue, value: PickleValue)] {
        try require(items.count % 2 == 0, "has a key without a value")
        return stride(from: 0, to: items.count, by: 2).map { (items[$0], items[$0 + 1]) }
    }

    private mutating func add(items: [PickleValue]) throws {
        guard case .node(let index) = try top(), graph.nodes[index].append(items: items) else {
            throw Malformed(what: "appends to what is no list")
        }
    }

    private mutating func add(pairs: [(key: PickleValue, value: PickleValue)]) throws {
        guard case .node(let index) = try top(), graph.nodes[index].append(pairs: pairs) else {
            throw Malformed(what: "sets an item of what is no dictionary")
        }
    }

    // MARK: Classes and objects

    private mutating func object(_ opcode: PickleOpcode) throws {
        switch opcode {
        case .global: stack.append(.global("\(try line()).\(try line())"))
        case .stackGlobal:
            let names = try pop(2)
            guard case .string(let module) = names[0], case .string(let name) = names[1] else {
                throw Malformed(what: "names a class by something other than text")
            }
            stack.append(.global("\(module).\(name)"))
        case .reduce, .newObject:
            let parts = try pop(2)
            stack.append(TorchMeaning.call(parts[0], arguments: graph.items(parts[1]) ?? [], in: &graph))
        case .newObjectEx:
            let parts = try pop(3)
            stack.append(TorchMeaning.call(parts[0], arguments: graph.items(parts[1]) ?? [], in: &graph))
        case .build:
            let state = try pop()
            if case .node(let index) = try top(), case .object(var object) = graph.nodes[index] {
                object.state = state
                graph.nodes[index] = .object(object)
            }
        default: stack.append(TorchMeaning.persistent(try pop(), in: &graph))
        }
    }

    // MARK: Stack and bytes

    private mutating func push(_ node: PickleNode) {
        stack.append(.node(graph.nodes.count))
        graph.nodes.append(node)
    }

    private func top() throws -> PickleValue {
        guard let value = stack.last, stack.count > marks.last ?? 0 else {
            throw Malformed(what: "needs a missing value")
        }
        return value
    }

    private mutating func pop() throws -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func pop(_ count: Int) throws -> [PickleValue] {
        try require(stack.count - (marks.last ?? 0) >= count, "needs a missing value")
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw Malformed(what: "needs a missing mark") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func recall(_ index: Int) throws {
        guard let value = memo[index] else { throw Malformed(what: "recalls what it never stored") }
        stack.append(value)
    }

    private mutating func take<Value: FixedWidthInteger>(_: Value.Type) throws -> Value {
        guard let value: Value = bytes.integer(at: position) else { throw Malformed(what: "is cut short") }
        position += MemoryLayout<Value>.size
        return value
    }

    private mutating func take(count: Int) throws -> ByteSlice {
        guard count >= 0, count <= bytes.count - position else { throw Malformed(what: "is cut short") }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private mutating func line() throws -> String {
        let start = position
        while position < bytes.count, position - start < 1024 {
            position += 1
            if bytes[position - 1] == 0x0A, let text = bytes[start..<position - 1].text { return text }
        }
        throw Malformed(what: "has a name without end")
    }

    private func require(_ condition: Bool, _ what: String) throws {
        if !condition { throw Malformed(what: what) }
    }
}
