/// What a tensor's scalars are in memory.
public enum ScalarType: String, Sendable, Hashable, Codable {
    case float32
    case bfloat16

    public var byteCount: Int {
        switch self {
        case .float32: 4
        case .bfloat16: 2
        }
    }
}
