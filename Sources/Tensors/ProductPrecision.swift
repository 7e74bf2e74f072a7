import CKernels

/// What the operands of convolutions and matrix products are rounded to. Sums, norms, activations, losses and the
/// weights that an optimiser changes are float32 in any case.
public enum ProductPrecision: String, Sendable, Hashable, Codable, CaseIterable {
    case float32
    /// 8 significant bits and float32's range: about twice as fast where the processor multiplies it.
    ///
    /// Depthwise convolutions, the dense 3×3 convolutions that Winograd's method computes in float32 faster than the
    /// direct one would in bfloat16, and layers of fewer than 16 channels stay in float32.
    case bfloat16

    /// Whether this processor multiplies it.
    public var isAvailable: Bool {
        switch self {
        case .float32: true
        case .bfloat16: sfumato_bfloat16_is_available() != 0
        }
    }

    /// This precision where the processor has it, else float32.
    public var available: ProductPrecision { isAvailable ? self : .float32 }
}

extension Tensor {
    /// The same weights, for products in a precision: convolutions and linear layers that are given them round both
    /// operands to it, forward and backward.
    public func multiplying(in precision: ProductPrecision) -> Tensor {
        Tensor(
            shape: shape, scalarType: scalarType, storage: storage, offset: offset, node: node,
            productPrecision: precision, productRole: productRole)
    }
}
