/// What the scalars of a stored tensor are, spelled as in a safetensors header.
public enum StoredType: String, Sendable, Hashable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint8 = "U8"
    case bool = "BOOL"

    public var byteCount: Int {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16, .int16: 2
        case .int8, .uint8, .bool: 1
        }
    }

    public var isFloatingPoint: Bool {
        switch self {
        case .float64, .float32, .float16, .bfloat16: true
        default: false
        }
    }
}

/// The number of scalars of a shape; nil when an extent is negative or the product does not fit.
func checkedElementCount(_ shape: [Int]) -> Int? {
    var count = 1
    // A zero anywhere makes the tensor empty, but the other extents must still be believable.
    for extent in shape {
        guard extent >= 0 else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: max(extent, 1))
        guard !overflow, product <= Int.max / 8 else { return nil }
        count = product
    }
    return shape.contains(0) ? 0 : count
}
