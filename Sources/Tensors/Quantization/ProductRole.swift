import CKernels

/// What else happens where weights are multiplied.
public enum ProductRole: Sendable {
    /// Their inputs are watched.
    case observed(ObservedInputs)
    /// Integers take the place of both, where nothing is recorded for a backward pass.
    case quantized(QuantizedWeights)

    /// Whether this processor multiplies 8-bit integers exactly. Elsewhere quantised weights multiply as the float32
    /// numbers they stand for.
    public static var hasIntegerProducts: Bool { sfumato_int8_is_available() != 0 }
}

extension Tensor {
    /// The same weights in a role: convolutions and linear layers that are given them play it.
    public func playing(_ role: ProductRole?) -> Tensor {
        Tensor(
            shape: shape, scalarType: scalarType, storage: storage, offset: offset, node: node,
            productPrecision: productPrecision, productRole: role)
    }

    /// Whether these weights multiply as integers.
    public var isQuantized: Bool {
        if case .quantized? = productRole { true } else { false }
    }

    /// Weights that multiply as integers.
    public init(_ weights: QuantizedWeights) { self = weights.values.playing(.quantized(weights)) }

    /// The integers that take these weights' place in a product with `x`.
    func integerWeights(for x: Tensor, bias: Tensor?) -> QuantizedWeights? {
        guard case .quantized(let weights)? = productRole, ProductRole.hasIntegerProducts, !isTracked,
            !x.isTracked, bias?.isTracked != true
        else { return nil }
        return weights
    }

    func observe(_ x: Tensor, isPadded: Bool) {
        if case .observed(let inputs)? = productRole { inputs.record(x, isPadded: isPadded) }
    }
}
