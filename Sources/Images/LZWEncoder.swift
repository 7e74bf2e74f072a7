/// The variable-width LZW code of GIF: strings seen before are replaced by their number, numbers grow from
/// `codeBits + 1` to 12 bits, and a clear code starts over when they are used up.
struct LZWEncoder {
    let codeBits: Int

    /// Appends the code of `symbols`, each below `1 << codeBits`, in sub-blocks of up to 255 bytes and the end block.
    func append(_ symbols: [UInt8], to bytes: inout [UInt8]) {
        let clear = 1 << codeBits
        var output = CodeStream(bytes: bytes)
        bytes = []
        var table = StringTable()
        var nextCode = clear + 2
        var width = codeBits + 1
        output.write(clear, width: width)

        var prefix: Int?
        for symbol in symbols {
            guard let string = prefix else {
                prefix = Int(symbol)
                continue
            }
            if let longer = table.code(prefix: string, symbol: symbol) {
                prefix = longer
                continue
            }
            output.write(string, width: width)
            prefix = Int(symbol)
            if nextCode == 4_096 {
                output.write(clear, width: width)
                table.clear()
                nextCode = clear + 2
                width = codeBits + 1
            } else {
                // The reader knows a code one step later than we do, hence `>` and not `>=`.
                table.insert(prefix: string, symbol: symbol, code: nextCode)
                if nextCode == 1 << width { width += 1 }
                nextCode += 1
            }
        }
        if let string = prefix { output.write(string, width: width) }
        // After that code the reader adds one more string and may widen.
        if nextCode == 1 << width && width < 12 { width += 1 }
        output.write(clear + 1, width: width)
        bytes = output.finish()
    }
}

/// Codes of any width packed from the low bit up, into sub-blocks with a length byte before each.
private struct CodeStream {
    private var bytes: [UInt8]
    private var lengthPosition: Int
    private var bits: UInt32 = 0
    private var bitCount = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
        lengthPosition = bytes.count
        self.bytes.append(0)
    }

    mutating func write(_ code: Int, width: Int) {
        bits |= UInt32(code) << UInt32(bitCount)
        bitCount += width
        while bitCount >= 8 { flushByte() }
    }

    private mutating func flushByte() {
        bytes.append(UInt8(truncatingIfNeeded: bits))
        bits >>= 8
        bitCount -= 8
        bytes[lengthPosition] += 1
        if bytes[lengthPosition] == 255 {
            lengthPosition = bytes.count
            bytes.append(0)
        }
    }

    mutating func finish() -> [UInt8] {
        if bitCount > 0 { flushByte() }
        // An empty last block is the end mark itself.
        if bytes[lengthPosition] != 0 { bytes.append(0) }
        return bytes
    }
}

/// Which code stands for a known string and one more symbol; open addressing in twice the room ever needed.
private struct StringTable {
    private static let capacity = 8_192
    private var keys = [Int32](repeating: -1, count: capacity)
    private var codes = [Int16](repeating: 0, count: capacity)

    mutating func clear() { keys = [Int32](repeating: -1, count: Self.capacity) }

    func code(prefix: Int, symbol: UInt8) -> Int? {
        let slot = slot(for: Self.key(prefix, symbol))
        return keys[slot] < 0 ? nil : Int(codes[slot])
    }

    mutating func insert(prefix: Int, symbol: UInt8, code: Int) {
        let key = Self.key(prefix, symbol)
        let slot = slot(for: key)
        keys[slot] = key
        codes[slot] = Int16(code)
    }

    private static func key(_ prefix: Int, _ symbol: UInt8) -> Int32 { Int32(prefix << 8 | Int(symbol)) }

    /// The key's slot, or the empty one where it belongs.
    private func slot(for key: Int32) -> Int {
        var slot = Int((UInt32(bitPattern: key) &* 0x9E37_79B1) >> 19)
        while keys[slot] >= 0 && keys[slot] != key { slot = (slot + 1) & (Self.capacity - 1) }
        return slot
    }
}
