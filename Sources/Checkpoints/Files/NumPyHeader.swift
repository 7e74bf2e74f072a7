/// The dictionary at the head of a `.npy` file: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
///
/// Only these three keys with values of these forms are accepted; structured types make it nil.
struct NumPyHeader {
    private(set) var description = ""
    private(set) var isColumnMajor = false
    private(set) var shape: [Int] = []

    private var rest: Substring

    init?(parsing text: String) {
        rest = text[...]
        var seen: Set<String> = []
        guard take("{") else { return nil }
        while !take("}") {
            guard let key = quoted(), seen.insert(key).inserted, take(":"), parse(key) else { return nil }
            _ = take(",")
        }
        skipSpace()
        guard rest.isEmpty, seen == ["descr", "fortran_order", "shape"] else { return nil }
    }

    private mutating func parse(_ key: String) -> Bool {
        switch key {
        case "descr":
            guard let text = quoted() else { return false }
            description = text
        case "fortran_order":
            isColumnMajor = take("True")
            return isColumnMajor || take("False")
        case "shape":
            guard take("(") else { return false }
            while !take(")") {
                guard let extent = integer(), shape.count < 32 else { return false }
                shape.append(extent)
                _ = take(",")
            }
        default: return false
        }
        return true
    }

    private mutating func skipSpace() { rest = rest.drop { $0.isWhitespace } }

    private mutating func take(_ word: String) -> Bool {
        skipSpace()
        guard rest.hasPrefix(word) else { return false }
        rest.removeFirst(word.count)
        return true
    }

    private mutating func quoted() -> String? {
        skipSpace()
        guard let quote = rest.first, quote == "'" || quote == "\"",
            let end = rest.dropFirst().firstIndex(of: quote)
        else { return nil }
        defer { rest = rest[rest.index(after: end)...] }
        return String(rest.dropFirst()[..<end])
    }

    private mutating func integer() -> Int? {
        skipSpace()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        rest.removeFirst(digits.count)
        return Int(digits)
    }
}
