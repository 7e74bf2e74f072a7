/// Bytes under construction, integers in little-endian order.
public struct LittleEndianBytes {
    public var bytes: [UInt8] = []

    public init() {}

    public mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
