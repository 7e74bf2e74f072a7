// Element-wise operations and their derivatives.

extension Tensor {
    private func unary(_ operation: UnaryOperation) -> Tensor {
        let x = detached
        let y = Tensor.uninitialized(shape)
        backend.unary(operation, x.base, y.mutableBase, count: elementCount)
        return y.recorded([self]) { gradient, _ in
            let dx = Tensor.uninitialized(x.shape)
            backend.unaryBackward(operation, x.base, gradient.base, dx.mutableBase, count: x.elementCount)
            return [dx]
        }
    }

    public var absolute: Tensor { unary(.absolute) }
    public var squared: Tensor { unary(.square) }
    public var squareRoot: Tensor { unary(.squareRoot) }
    public var reciprocal: Tensor { unary(.reciprocal) }

    fileprivate func apply(_ operation: UnaryOperation) -> Tensor { unary(operation) }

    public static prefix func - (x: Tensor) -> Tensor { x.affine(scale: -1, shift: 0) }

    /// scale · x + shift
    public func affine(scale: Float, shift: Float) -> Tensor {
        let y = Tensor.uninitialized(shape)
        backend.affine(base, y.mutableBase, scale: scale, shift: shift, count: elementCount)
        return y.recorded([self]) { gradient, _ in [gradient.affine(scale: scale, shift: 0)] }
    }

    public static func + (a: Tensor, b: Tensor) -> Tensor {
        if let result = broadcast(.add, a, b) { return result }
        return raw(.add, a, b).recorded([a, b]) { gradient, _ in [gradient, gradient] }
    }

    public static func - (a: Tensor, b: Tensor) -> Tensor {
        if let result = broadcast(.subtract, a, b) { return result }
        return raw(.subtract, a, b).recorded([a, b]) { gradient, wanted in
            [gradient, wanted[1] ? -gradient : nil]
        }
    }

    public static func * (a: Tensor, b: Tensor) -> Tensor {
        if let result = broadcast(.multiply, a, b) { return result }
        let (x, y) = (a.detached, b.detached)
        return raw(.multiply, x, y).recorded([a, b]) { gradient, wanted in
            [wanted[0] ? gradient * y : nil, wanted[1] ? gradient * x : nil]
        }
    }

    public static func / (a: Tensor, b: Tensor) -> Tensor {
        if let result = broadcast(.divide, a, b) { return result }
        let y = b.detached
        let quotient = raw(.divide, a.detached, y)
        return quotient.recorded([a, b]) { gradient, wanted in
            let scaled = gradient / y
            return [scaled, wanted[1] ? -(scaled * quotient) : nil]
        }
    }

    public static func + (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, shift: b) }
    public static func - (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1, shift: -b) }
    public static func * (a: Tensor, b: Float) -> Tensor { a.affine(scale: b, shift: 0) }
    public static func / (a: Tensor, b: Float) -> Tensor { a.affine(scale: 1 / b, shift: 0) }
    public static func + (a: Float, b: Tensor) -> Tensor { b.affine(scale: 1, shift: a) }
    public static func - (a: Float, b: Tensor) -> Tensor { b.affine(scale: -1, shift: a) }
    public static func * (a: Float, b: Tensor) -> Tensor { b.affine(scale: a, shift: 0) }

    private static func raw(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        precondition(a.shape == b.shape, "\(operation): \(a.shape) and \(b.shape) do not match")
        let y = Tensor.uninitialized(a.shape)
        backend.binary(operation, a.base, b.base, y.mutableBase, count: a.elementCount)
        return y
    }

    /// The cases where `b` is one value per channel: `[C]`, or `[N, C]` beside `[N, …, C]`; nil when the shapes
    /// are equal.
    private static func broadcast(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor? {
        guard a.shape != b.shape else { return nil }
        let perSample = b.shape.rank == 2 && a.shape.rank > 2 && a.shape[0] == b.shape[0]
        precondition(
            (perSample || b.shape.rank == 1) && a.shape.channels == b.shape.channels,
            "\(operation): \(b.shape) is not one value per channel of \(a.shape)")
        let layout = perSample ? ChannelLayout(a.shape) : ChannelLayout(a.shape).flattened
        let (x, v) = (a.detached, b.detached)

        func apply(_ operation: BinaryOperation, _ x: Tensor, _ v: Tensor) -> Tensor {
            let y = Tensor.uninitialized(x.shape)
            backend.channelBinary(
                operation, x.base, v.base, y.mutableBase, layout: layout, perSample: perSample)
            return y
        }
        func sum(_ x: Tensor, _ y: Tensor?) -> Tensor {
            let total = Tensor.uninitialized(v.shape)
            backend.sumRows(x.base, y?.base, total.mutableBase, layout: layout)
            return total
        }
        let result = apply(operation, x, v)
        return result.recorded([a, b]) { gradient, wanted in
            switch operation {
            case .add: [gradient, wanted[1] ? sum(gradient, nil) : nil]
            case .subtract: [gradient, wanted[1] ? -sum(gradient, nil) : nil]
            case .multiply:
                [wanted[0] ? apply(.multiply, gradient, v) : nil, wanted[1] ? sum(gradient, x) : nil]
            case .divide:
                [
                    wanted[0] ? apply(.divide, gradient, v) : nil,
                    wanted[1] ? -(sum(gradient, result) / v) : nil,
                ]
            }
        }
    }
}

public func exp(_ x: Tensor) -> Tensor { x.apply(.exp) }
public func log(_ x: Tensor) -> Tensor { x.apply(.log) }
public func sin(_ x: Tensor) -> Tensor { x.apply(.sin) }
public func cos(_ x: Tensor) -> Tensor { x.apply(.cos) }
public func tanh(_ x: Tensor) -> Tensor { x.apply(.tanh) }
public func sigmoid(_ x: Tensor) -> Tensor { x.apply(.sigmoid) }
public func relu(_ x: Tensor) -> Tensor { x.apply(.relu) }
/// x·σ(x)
public func silu(_ x: Tensor) -> Tensor { x.apply(.silu) }
/// The exact form x·Φ(x), not the tanh approximation.
public func gelu(_ x: Tensor) -> Tensor { x.apply(.gelu) }
/// log(1 + eˣ)
public func softplus(_ x: Tensor) -> Tensor { x.apply(.softplus) }
