import CZlib

/// CRC-32 as in zip, gzip and PNG (polynomial 0x04C11DB7, reflected).
public func crc32(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
    guard let base = bytes.assumingMemoryBound(to: UInt8.self).baseAddress else { return previous }
    return UInt32(truncatingIfNeeded: crc32_z(UInt(previous), base, bytes.count))
}

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected), which frames TensorBoard's records.
public struct CRC32C: Sendable {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }

    public static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var crc: UInt32 = ~0
            for byte in bytes { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
            return ~crc
        }
    }

    public static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }

    /// Rotated and offset, so that a checksum stored among the data it covers stays meaningful.
    public static func masked(_ bytes: [UInt8]) -> UInt32 {
        let crc = checksum(bytes)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}
