/// One step of the recorded computation: what it depends on, and how a gradient flows back.
final class TapeNode: @unchecked Sendable {
    let inputs: [TapeNode?]
    /// Gradient of the result → gradients of the inputs, nil where none is wanted. Released once used, and with
    /// it every tensor it holds, so that memory falls while the backward pass runs.
    var backward: ((Tensor) -> [Tensor?])?
    private(set) var gradient: Tensor?
    private var ownsGradient = false

    init(inputs: [TapeNode?], backward: ((Tensor) -> [Tensor?])?) {
        self.inputs = inputs
        self.backward = backward
    }

    var isLeaf: Bool { inputs.isEmpty }

    /// Adds to the gradient: in place once the sum is ours alone (a first contribution may be shared).
    func accumulate(_ contribution: Tensor) {
        guard let gradient else {
            self.gradient = contribution
            return
        }
        if !ownsGradient {
            self.gradient = gradient + contribution
            ownsGradient = true
        } else {
            backend.accumulate(
                contribution.base, into: gradient.mutableBase, scale: 1, count: gradient.elementCount)
        }
    }

    func takeGradient() -> Tensor? {
        defer {
            gradient = nil
            ownsGradient = false
        }
        return gradient
    }
}

/// The derivatives that a backward pass found for the variables it reached.
public struct Gradients {
    private var values: [ObjectIdentifier: Tensor] = [:]

    /// The gradient of a variable, shaped like it; nil when the result did not depend on it.
    public subscript(_ variable: Tensor) -> Tensor? {
        variable.node.flatMap { values[ObjectIdentifier($0)] }
    }

    /// These gradients, with those of `other` instead wherever both have one.
    public func replacing(with other: Gradients) -> Gradients {
        var result = self
        result.values.merge(other.values) { $1 }
        return result
    }

    fileprivate mutating func set(_ node: TapeNode, _ gradient: Tensor?) {
        values[ObjectIdentifier(node)] = gradient
    }
}

extension Tensor {
    /// The same values as the beginning of a recorded computation: gradients will be found for the result.
    public var variable: Tensor {
        Tensor(
            shape: shape, scalarType: scalarType, storage: storage, offset: offset,
            node: TapeNode(inputs: [], backward: nil), productPrecision: productPrecision,
            productRole: productRole)
    }

    /// Whether a derivative flows through this tensor.
    public var isTracked: Bool { node != nil }

    /// Derivatives of Σ self·cotangent with respect to every variable this tensor was computed from.
    ///
    /// The recorded computation is consumed: a second call on the same result finds nothing.
    /// - Parameter cotangent: shaped like this tensor; nil means ones (for a scalar loss).
    public func gradients(cotangent: Tensor? = nil) -> Gradients {
        var result = Gradients()
        guard let node else { return result }
        if let cotangent {
            precondition(cotangent.shape == shape, "cotangent \(cotangent.shape) of a result \(shape)")
        }
        node.accumulate(cotangent?.detached ?? Tensor(repeating: 1, shape: shape))
        for step in Self.topologicalOrder(from: node).reversed() {
            guard let gradient = step.takeGradient() else { continue }
            if step.isLeaf {
                result.set(step, gradient)
                continue
            }
            guard let backward = step.backward else { continue }
            step.backward = nil
            for (input, contribution) in zip(step.inputs, backward(gradient)) {
                if let input, let contribution { input.accumulate(contribution) }
            }
        }
        return result
    }

    /// Nodes below `root`, each after everything it depends on. Iterative: a deep network must not overflow the
    /// stack of a small thread.
    private static func topologicalOrder(from root: TapeNode) -> [TapeNode] {
        var order: [TapeNode] = []
        var seen: Set<ObjectIdentifier> = [ObjectIdentifier(root)]
        var stack: [(node: TapeNode, next: Int)] = [(root, 0)]
        while let (node, next) = stack.last {
            guard next < node.inputs.count else {
                order.append(node)
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            if let input = node.inputs[next], seen.insert(ObjectIdentifier(input)).inserted {
                stack.append((input, 0))
            }
        }
        return order
    }

    /// The result of an operation: remembers how to go back when an operand is tracked.
    ///
    /// `backward` must capture only detached tensors, and receives which operands want a gradient.
    ///
    /// Inlined, so that where nothing is tracked no closure is made either.
    @inline(__always)
    func recorded(
        _ operands: [Tensor], _ backward: @escaping (_ gradient: Tensor, _ wanted: [Bool]) -> [Tensor?]
    ) -> Tensor {
        guard operands.contains(where: { $0.node != nil }) else { return self }
        let nodes = operands.map(\.node)
        let wanted = nodes.map { $0 != nil }
        return Tensor(
            shape: shape, scalarType: scalarType, storage: storage, offset: offset,
            node: TapeNode(inputs: nodes) { backward($0, wanted) })
    }

    /// The scalars' address, for the next step. The tensor may be gone before that has begun: where nothing uses it
    /// afterwards, its last use is this.
    var base: Input { UnsafePointer(mutableBase) }
    var mutableBase: Output {
        storage.isWantedByNextStep()
        return storage.floats(offset: offset)
    }
}
