/// Text is not JSON: what was expected, and where.
public struct JSONError: Error, CustomStringConvertible, Equatable {
    public let problem: String
    /// Byte of the text at which it shows.
    public let offset: Int

    public var description: String { "\(problem) at byte \(offset)" }
}

/// A strict JSON reader (RFC 8259) for text that nobody vouches for: bounded depth, no key twice.
struct JSONParser {
    private static let deepest = 128

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func document() throws -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw fault("unexpected text after the end") }
        return value
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.deepest else { throw fault("nested deeper than \(Self.deepest)") }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        default: return try scalar()
        }
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        position += 1
        var members: [String: JSONValue] = [:]
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
            let start = position
            let key = try string()
            guard take(":") else { throw fault("expected ':'") }
            guard members.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
                throw JSONError(problem: "key \"\(key)\" occurs twice", offset: start)
            }
        } while take(",")
        guard take("}") else { throw fault("expected ',' or '}'") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        position += 1
        var items: [JSONValue] = []
        if take("]") { return .array(items) }
        repeat { items.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw fault("expected ',' or ']'") }
        return .array(items)
    }

    private mutating func string() throws -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw fault("text is not UTF-8")
                }
                return result
            case UInt8(ascii: "\\"): try escape(into: &text)
            case ..<0x20: throw fault("a control character inside quotes")
            default: text.append(byte)
            }
        }
        throw fault("a text without closing quote")
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = peek else { throw fault("a text without closing quote") }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "u"): text += Array(String(Character(try unicodeScalar())).utf8)
        default: throw fault("an unknown escape")
        }
    }

    /// Characters beyond the basic plane come as two escapes.
    private mutating func unicodeScalar() throws -> Unicode.Scalar {
        var code = try hexadecimal()
        if 0xD800..<0xDC00 ~= code, take("\\", skippingSpace: false), take("u", skippingSpace: false) {
            let low = try hexadecimal()
            guard 0xDC00..<0xE000 ~= low else { throw fault("half a surrogate pair") }
            code = 0x1_0000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw fault("half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard position + 4 <= bytes.count,
            let digits = String(validating: bytes[position..<position + 4], as: UTF8.self),
            digits.allSatisfy(\.isHexDigit), let code = UInt32(digits, radix: 16)
        else { throw fault("an escape without four digits") }
        position += 4
        return code
    }

    /// A number, or a word.
    private mutating func scalar() throws -> JSONValue {
        let start = position
        while let byte = peek, isWordByte(byte) { position += 1 }
        let word = String(decoding: bytes[start..<position], as: UTF8.self)
        switch word {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "NaN": return .number(.nan)
        case "Infinity": return .number(.infinity)
        case "-Infinity": return .number(-.infinity)
        default: break
        }
        if isNumber(word) {
            if let value = Int(word) { return .integer(value) }
            if let value = Double(word) { return .number(value) }
        }
        throw JSONError(
            problem: word.isEmpty ? "expected a value" : "\"\(word.prefix(20))\" is no value", offset: start)
    }

    private func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// Begins with a digit after an optional minus, and has none of the spellings only Swift accepts.
    private func isNumber(_ word: String) -> Bool {
        guard let first = word.drop(while: { $0 == "-" }).first, first.isNumber, !word.hasPrefix("--") else {
            return false
        }
        return word.allSatisfy { $0.isNumber || "-+.eE".contains($0) }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar, skippingSpace: Bool = true) -> Bool {
        if skippingSpace { skipSpace() }
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private func fault(_ problem: String) -> JSONError { JSONError(problem: problem, offset: position) }
}
