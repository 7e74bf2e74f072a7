import Archives

/// A protocol-buffer message under construction: the few field kinds that event files need.
struct ProtocolBuffer {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ field: Int, integer value: Int) {
        key(field, wire: 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func append(_ field: Int, double value: Double) {
        key(field, wire: 1)
        fixed(value.bitPattern)
    }

    mutating func append(_ field: Int, float value: Float) {
        key(field, wire: 5)
        fixed(value.bitPattern)
    }

    mutating func append(_ field: Int, bytes value: [UInt8]) {
        key(field, wire: 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func append(_ field: Int, text: String) { append(field, bytes: Array(text.utf8)) }

    private mutating func key(_ field: Int, wire: Int) { varint(UInt64(field << 3 | wire)) }

    private mutating func fixed<Value: FixedWidthInteger>(_ value: Value) {
        var little = LittleEndianBytes()
        little.append(value)
        bytes += little.bytes
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
