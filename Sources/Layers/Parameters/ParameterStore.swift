import Tensors

/// The parameters of one model, in the order its constructor asked for them, under their published names.
///
/// A layer's constructor takes what it needs from a `Scope` and never learns whether the values are drawn or come
/// from a checkpoint. What a checkpoint lacks, has too much or has in another shape is collected while the model
/// is built and reported whole by `validate()`.
public final class ParameterStore: @unchecked Sendable {
    /// Where values come from.
    public enum Source {
        /// Drawn by each parameter's initialiser.
        case initialized(seed: UInt64)
        /// Taken from these tensors; storage is shared, not copied.
        case loaded([String: Tensor])
        /// No values at all: the model is built only to learn its parameters' names and shapes.
        case shapesOnly
    }

    private let source: Source
    private let isTracked: Bool
    private let precision: ProductPrecision
    /// Whether blocks compute their intermediate values again in the backward pass instead of keeping them.
    let recomputesActivations: Bool
    /// Names and shapes in construction order.
    public private(set) var shapes: [(name: String, shape: Shape)] = []
    private var tensors: [String: Tensor] = [:]
    private var bufferNames: Set<String> = []
    private var missing: [String] = []
    private var misshapen: [ParameterMismatch.Misshapen] = []

    /// - Parameters:
    ///   - isTracked: whether operations on the parameters are recorded for a backward pass.
    ///   - precision: of the products that weights take part in; float32 where the processor has it not.
    ///   - recomputesActivations: whether training keeps no more than each block's input, for a second forward pass.
    public init(
        _ source: Source, isTracked: Bool, precision: ProductPrecision = .float32,
        recomputesActivations: Bool = false
    ) {
        self.source = source
        self.recomputesActivations = isTracked && recomputesActivations
        self.isTracked = isTracked
        self.precision = precision.available
    }

    public var scope: Scope { Scope(store: self, path: "") }

    public subscript(name: String) -> Tensor? { tensors[name] }

    /// All parameters in construction order: what an optimiser changes.
    public var all: [(name: String, tensor: Tensor)] { entries { !bufferNames.contains($0) } }

    /// All buffers in construction order: what a checkpoint holds beside the parameters (running statistics).
    public var buffers: [(name: String, tensor: Tensor)] { entries(where: bufferNames.contains) }

    private func entries(where isWanted: (String) -> Bool) -> [(name: String, tensor: Tensor)] {
        shapes.compactMap { entry in
            isWanted(entry.name) ? tensors[entry.name].map { (entry.name, $0) } : nil
        }
    }

    /// Makes buffers of parameters that training is to leave as they are: they stay part of every checkpoint.
    public func freeze(where isFrozen: (String) -> Bool) {
        bufferNames.formUnion(tensors.keys.filter(isFrozen))
    }

    /// Number of scalars in all parameters, buffers not counted.
    public var scalarCount: Int { all.reduce(0) { $0 + $1.tensor.elementCount } }

    fileprivate func take(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Tensor {
        precondition(tensors[name] == nil, "two layers claim the parameter \(name)")
        let value = value(name, shape, initializer)
        let tensor = (isTracked ? value.variable : value).multiplying(in: precision)
        shapes.append((name, shape))
        tensors[name] = tensor
        return tensor
    }

    /// A tensor of the checkpoint that no gradient reaches. `isOptional`: old checkpoints lack it; it then begins
    /// as in a fresh model.
    fileprivate func takeBuffer(
        _ name: String, _ shape: Shape, _ initializer: Initializer, isOptional: Bool
    ) -> Tensor {
        precondition(tensors[name] == nil, "two layers claim the buffer \(name)")
        var tensor: Tensor
        if case .loaded(let given) = source, given[name] == nil, isOptional {
            tensor = initializer.makeTensor(shape, from: RandomStream(seed: 0))
        } else {
            tensor = value(name, shape, initializer)
        }
        tensor = tensor.detached
        shapes.append((name, shape))
        tensors[name] = tensor
        bufferNames.insert(name)
        return tensor
    }

    private func value(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Tensor {
        switch source {
        case .initialized(let seed):
            return initializer.makeTensor(shape, from: RandomStream(seed: seed).stream(named: name))
        case .loaded(let tensors):
            guard let tensor = tensors[name] else {
                missing.append(name)
                return .zeros(shape)
            }
            guard tensor.shape == shape else {
                misshapen.append(.init(name: name, found: tensor.shape, needed: shape))
                return .zeros(shape)
            }
            return tensor.detached
        case .shapesOnly:
            return .placeholder(shape)
        }
    }

    /// To be called once the model is built.
    /// - Throws: `ParameterMismatch` unless every parameter was found in its shape and none was left over.
    public func validate() throws {
        var unexpected: [String] = []
        if case .loaded(let given) = source {
            unexpected = given.keys.filter { tensors[$0] == nil }.sorted()
        }
        guard missing.isEmpty, misshapen.isEmpty, unexpected.isEmpty else {
            throw ParameterMismatch(missing: missing, unexpected: unexpected, misshapen: misshapen)
        }
    }
}

/// A place in a model's tree of parameters: constructors spell the published names relative to it.
public struct Scope: Sendable {
    public let store: ParameterStore
    public let path: String

    public static func / (scope: Scope, name: String) -> Scope {
        Scope(store: scope.store, path: scope.path.isEmpty ? name : scope.path + "." + name)
    }

    public static func / (scope: Scope, index: Int) -> Scope { scope / String(index) }

    /// The parameter `path.name`, of the given shape.
    public func parameter(_ name: String, _ shape: Shape, _ initializer: Initializer) -> Tensor {
        store.take((self / name).path, shape, initializer)
    }

    /// The buffer `path.name`: part of a checkpoint, but nothing an optimiser changes.
    public func buffer(
        _ name: String, _ shape: Shape, _ initializer: Initializer, isOptional: Bool = false
    ) -> Tensor {
        store.takeBuffer((self / name).path, shape, initializer, isOptional: isOptional)
    }
}

/// How a checkpoint's tensors differ from those a model needs.
public struct ParameterMismatch: Error, CustomStringConvertible, Equatable {
    public struct Misshapen: Equatable, Sendable {
        public var name: String
        public var found: Shape
        public var needed: Shape

        public init(name: String, found: Shape, needed: Shape) {
            self.name = name
            self.found = found
            self.needed = needed
        }
    }

    public var missing: [String]
    public var unexpected: [String]
    public var misshapen: [Misshapen]

    public init(missing: [String], unexpected: [String], misshapen: [Misshapen]) {
        self.missing = missing
        self.unexpected = unexpected
        self.misshapen = misshapen
    }

    public var description: String {
        [
            Self.line("missing", missing), Self.line("not part of the model", unexpected),
            Self.line(
                "of another shape",
                misshapen.map { "\($0.name) is \($0.found), the model needs \($0.needed)" }),
        ].compactMap { $0 }.joined(separator: "; ")
    }

    private static func line(_ what: String, _ items: [String]) -> String? {
        guard !items.isEmpty else { return nil }
        let shown = items.prefix(4).joined(separator: ", ")
        return "\(items.count) \(what): \(shown)" + (items.count > 4 ? ", …" : "")
    }
}
