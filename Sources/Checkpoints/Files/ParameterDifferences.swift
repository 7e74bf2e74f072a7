/// How the tensors of a file differ from those a model needs. Empty when they fit.
public struct ParameterDifferences: Error, CustomStringConvertible, Equatable {
    public struct Misshapen: Sendable, Equatable {
        public let name: String
        public let found: [Int]
        public let expected: [Int]
    }

    public let file: String
    /// What the tensors were meant for, as in "the model of configs/dico-s.yaml".
    public let model: String
    public let missing: [String]
    public let unexpected: [String]
    public let misshapen: [Misshapen]

    /// - Parameters:
    ///   - file: where the tensors come from.
    ///   - model: what they are for.
    ///   - expected: the shapes the model needs, by name.
    public init(file: String, model: String, expected: [String: [Int]], found: [String: [Int]]) {
        self.file = file
        self.model = model
        missing = expected.keys.filter { found[$0] == nil }.sorted()
        unexpected = found.keys.filter { expected[$0] == nil }.sorted()
        misshapen = expected.sorted { $0.key < $1.key }.compactMap { name, shape in
            guard let other = found[name], other != shape else { return nil }
            return Misshapen(name: name, found: other, expected: shape)
        }
    }

    public init(file: String, model: String, expected: [String: [Int]], found: [StoredTensor]) {
        self.init(
            file: file, model: model, expected: expected,
            found: Dictionary(found.map { ($0.name, $0.shape) }) { first, _ in first })
    }

    public var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && misshapen.isEmpty }

    /// - Throws: itself, unless empty.
    public func check() throws { if !isEmpty { throw self } }

    /// One line for each kind of difference: how many, and the first few.
    public var description: String {
        if isEmpty { return "\(file): fits \(model)" }
        var parts: [String] = []
        if let first = misshapen.first, misshapen.count == 1, missing.isEmpty, unexpected.isEmpty {
            return "\(file): \(first.name) is \(first.found), \(model) needs \(first.expected)"
        }
        if !missing.isEmpty { parts.append("\(missing.count) missing (\(Self.list(missing)))") }
        if !unexpected.isEmpty { parts.append("\(unexpected.count) unexpected (\(Self.list(unexpected)))") }
        if !misshapen.isEmpty {
            let shapes = misshapen.map { "\($0.name) is \($0.found), needed \($0.expected)" }
            parts.append("\(misshapen.count) of another shape (\(Self.list(shapes)))")
        }
        return "\(file): does not fit \(model): " + parts.joined(separator: ", ")
    }

    /// Every difference, one a line.
    public var lines: [String] {
        missing.map { "missing     \($0)" } + unexpected.map { "unexpected  \($0)" }
            + misshapen.map { "shape       \($0.name) is \($0.found), needed \($0.expected)" }
    }

    private static func list(_ names: [String]) -> String {
        names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
    }
}
