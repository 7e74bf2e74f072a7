/// A value of a pickle, or a reference to a node of its graph.
///
/// Containers live in one flat array and are named by their index: cycles cost nothing, and letting go of a
/// graph never recurses, however deeply a hostile file nests it.
enum PickleValue {
    case none
    case bool(Bool)
    case integer(Int)
    /// More than 64 bits, two's complement, little-endian.
    case long([UInt8])
    case number(Double)
    case string(String)
    case bytes([UInt8])
    /// A class or function, by name only: nothing is looked up, nothing is called.
    case global(String)
    case node(Int)
}

/// What a `PickleValue.node` stands for.
enum PickleNode {
    case tuple([PickleValue])
    case list([PickleValue])
    case dictionary([(key: PickleValue, value: PickleValue)])
    case storage(TorchStorageReference)
    case tensor(TorchTensorReference)
    case object(PickleObject)
}

/// Growth in place: the parts are taken out of the node before they change, for a part that is referred to twice
/// would be copied each time, and a long list would take quadratic time.
extension PickleNode {
    /// - Returns: whether the node is a list or an object.
    mutating func append(items: [PickleValue]) -> Bool {
        if var list = takeList() {
            list += items
            self = .list(list)
            return true
        }
        guard var object = takeObject() else { return false }
        object.items += items
        self = .object(object)
        return true
    }

    /// - Returns: whether the node is a dictionary or an object.
    mutating func append(pairs: [(key: PickleValue, value: PickleValue)]) -> Bool {
        if var dictionary = takeDictionary() {
            dictionary += pairs
            self = .dictionary(dictionary)
            return true
        }
        guard var object = takeObject() else { return false }
        object.pairs += pairs
        self = .object(object)
        return true
    }

    private mutating func takeList() -> [PickleValue]? {
        guard case .list(let list) = self else { return nil }
        self = .tuple([])
        return list
    }

    private mutating func takeDictionary() -> [(key: PickleValue, value: PickleValue)]? {
        guard case .dictionary(let pairs) = self else { return nil }
        self = .tuple([])
        return pairs
    }

    private mutating func takeObject() -> PickleObject? {
        guard case .object(let object) = self else { return nil }
        self = .tuple([])
        return object
    }
}

/// An object of a class this reader gives no meaning to: a record of its parts.
struct PickleObject {
    /// `module.Class`, or what can be said of it.
    var className: String
    var arguments: [PickleValue] = []
    var state: PickleValue = .none
    /// Items set on it as on a dictionary, and appended to it as to a list.
    var pairs: [(key: PickleValue, value: PickleValue)] = []
    var items: [PickleValue] = []
}

/// Where a tensor's scalars lie: a part of a numbered storage.
struct TorchStorageReference {
    var key: String
    /// Nil for a storage class of unknown scalars.
    var type: StoredType?
    /// In scalars.
    var count: Int
    /// In scalars, from the start of the storage `key`.
    var offset = 0
}

/// A tensor as a pickle describes it, checked for sense only when its bytes are wanted.
struct TorchTensorReference {
    var storage: TorchStorageReference
    var offset: Int
    var shape: [Int]
    var strides: [Int]
}

/// Everything a pickle holds.
struct PickleGraph {
    var nodes: [PickleNode] = []
    var root: PickleValue = .none

    func node(_ value: PickleValue) -> PickleNode? {
        if case .node(let index) = value { nodes[index] } else { nil }
    }

    func items(_ value: PickleValue) -> [PickleValue]? {
        switch node(value) {
        case .tuple(let items), .list(let items): items
        default: nil
        }
    }

    func integers(_ value: PickleValue) -> [Int]? {
        guard let items = items(value) else { return nil }
        let values = items.compactMap { if case .integer(let value) = $0 { value } else { nil as Int? } }
        return values.count == items.count ? values : nil
    }
}
