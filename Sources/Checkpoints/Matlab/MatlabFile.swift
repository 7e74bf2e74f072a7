import Archives

/// A MATLAB file of level 5 (versions 5 to 7): numbers, texts, cells and structures, compressed or not.
///
/// The layout is published in *MAT-File Format* (The MathWorks): a header of 128 bytes, then elements of a tag, type
/// and length, and data padded to 8 bytes; an array is an element made of elements. Nothing in a file is executed:
/// functions and objects are passed over.
struct MatlabFile {
    let path: String
    private(set) var variables: [String: MatlabValue] = [:]

    /// Of all compressed parts together.
    private static let inflatedLimit = 1 << 31
    /// Cells within cells.
    private static let deepest = 32

    private enum Kind: UInt32 {
        case int8 = 1
        case uint8, int16, uint16, int32, uint32, single
        case double = 9
        case int64 = 12
        case uint64, matrix, compressed, utf8, utf16, utf32
    }

    /// Whether the data begins like a MATLAB file with a header.
    static func isMatlab(_ bytes: ByteSlice) -> Bool {
        bytes.count >= 128 && bytes[0..<7].text == "MATLAB "
    }

    /// - Throws: `CheckpointFileError` or `ArchiveError` when the file is damaged, hostile or of another version.
    init(_ bytes: ByteSlice, path: String) throws {
        self.path = path
        let order: UInt16? = bytes.integer(at: 126)
        guard bytes.count >= 128, order == 0x4D49 else {
            let isHDF = bytes[0..<10].text == "MATLAB 7.3"
            throw CheckpointFileError(
                file: path,
                problem: isHDF
                    ? "is a MATLAB 7.3 file, which is HDF5; save it with -v7"
                    : "is no little-endian MATLAB file of level 5; save it with -v7")
        }
        var room = Self.inflatedLimit
        var cursor = 128
        while cursor < bytes.count {
            let element = try element(bytes, &cursor)
            guard element.kind == .compressed else {
                if element.kind == .matrix { try adopt(element.data) }
                continue
            }
            let inflated = try Zlib.inflate(element.data, file: path, limit: room)
            room -= inflated.count
            var inner = 0
            let contents = ByteSlice(inflated)
            let matrix = try self.element(contents, &inner)
            if matrix.kind == .matrix { try adopt(matrix.data) }
        }
    }

    private mutating func adopt(_ data: ByteSlice) throws {
        let (name, value) = try matrix(data, depth: 0)
        variables[name] = value
    }

    // MARK: Elements

    private struct Element {
        let kind: Kind?
        let data: ByteSlice
    }

    private func damaged(_ problem: String) -> CheckpointFileError {
        CheckpointFileError(file: path, problem: "is damaged: " + problem)
    }

    /// The element at `cursor`, which is moved behind it.
    private func element(_ bytes: ByteSlice, _ cursor: inout Int) throws -> Element {
        guard let word: UInt32 = bytes.integer(at: cursor) else { throw damaged("an element is cut short") }
        if word >> 16 != 0 {
            // A small one: length and type share four bytes, the data has the other four.
            let count = Int(word >> 16)
            guard count <= 4, cursor + 8 <= bytes.count else { throw damaged("a small element is too long") }
            defer { cursor += 8 }
            return Element(kind: Kind(rawValue: word & 0xFFFF), data: bytes[cursor + 4..<cursor + 4 + count])
        }
        guard let length: UInt32 = bytes.integer(at: cursor + 4), Int(length) <= bytes.count - cursor - 8
        else { throw damaged("an element is cut short") }
        let start = cursor + 8
        let kind = Kind(rawValue: word)
        let padded = kind == .compressed ? Int(length) : (Int(length) + 7) / 8 * 8
        cursor = min(bytes.count, start + padded)
        return Element(kind: kind, data: bytes[start..<start + Int(length)])
    }

    // MARK: Arrays

    private func matrix(_ data: ByteSlice, depth: Int) throws -> (name: String, value: MatlabValue) {
        guard !data.isEmpty else { return ("", .numbers(MatlabArray(extents: [0, 0], values: []))) }
        guard depth < Self.deepest else { throw damaged("cells lie more than \(Self.deepest) deep in cells") }
        var cursor = 0
        let flags = try element(data, &cursor).data
        guard let word: UInt32 = flags.integer(at: 0) else { throw damaged("an array has no class") }
        // Functions and objects of newer classes are stored in a way of their own.
        guard ![16, 17].contains(word & 0xFF) else { return ("", .other("an object")) }
        let extents = try extents(element(data, &cursor))
        let name = String(decoding: try element(data, &cursor).data.array, as: UTF8.self)
        let isComplex = word & 0x0800 != 0
        switch word & 0xFF {
        case 1: return (name, .cells(try cells(data, &cursor, count: extents.reduce(1, *), depth)))
        case 2: return (name, .structures(try structures(data, &cursor, count: extents.reduce(1, *), depth)))
        case 4: return (name, .text(try text(element(data, &cursor))))
        case 6...15 where !isComplex:
            let values = try numbers(element(data, &cursor))
            guard values.count == extents.reduce(1, *) else {
                throw damaged("\(name) has \(values.count) numbers for \(extents)")
            }
            return (name, .numbers(MatlabArray(extents: extents, values: values)))
        default: return (name, .other("an array of class \(word & 0xFF)"))
        }
    }

    private func extents(_ element: Element) throws -> [Int] {
        let count = element.data.count / 4
        guard element.kind == .int32, (2...8).contains(count) else {
            throw damaged("an array has no extents")
        }
        let extents = (0..<count).map { Int(element.data.integer(at: 4 * $0, as: Int32.self) ?? -1) }
        var product = 1
        for extent in extents {
            let (next, overflow) = product.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow, next <= 1 << 31 else { throw damaged("an array is \(extents)") }
            product = next
        }
        return extents
    }

    private func cells(_ data: ByteSlice, _ cursor: inout Int, count: Int, _ depth: Int) throws
        -> [MatlabValue]
    {
        // Each has at least its tag, so a count that the bytes cannot hold ends early.
        var values: [MatlabValue] = []
        for _ in 0..<count {
            let element = try element(data, &cursor)
            guard element.kind == .matrix else { throw damaged("a cell is no array") }
            values.append(try matrix(element.data, depth: depth + 1).value)
        }
        return values
    }

    private func structures(_ data: ByteSlice, _ cursor: inout Int, count: Int, _ depth: Int) throws
        -> [[String: MatlabValue]]
    {
        guard let width: Int32 = try element(data, &cursor).data.integer(at: 0), width > 0, width <= 4096
        else {
            throw damaged("a structure's field names have no length")
        }
        let names = try element(data, &cursor).data
        let fields = stride(from: 0, to: names.count / Int(width) * Int(width), by: Int(width)).map {
            String(decoding: names[$0..<$0 + Int(width)].array.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard !fields.isEmpty else { return [] }
        return try (0..<count).map { _ in
            let values = try cells(data, &cursor, count: fields.count, depth)
            return Dictionary(zip(fields, values)) { first, _ in first }
        }
    }

    private func text(_ element: Element) throws -> String {
        switch element.kind {
        case .utf8, .int8, .uint8: String(decoding: element.data.array, as: UTF8.self)
        case .uint16, .utf16:
            String(
                decoding: (0..<element.data.count / 2).map {
                    element.data.integer(at: 2 * $0, as: UInt16.self) ?? 0
                }, as: UTF16.self)
        default: throw damaged("a text is stored in an unknown way")
        }
    }

    /// Numbers of any type: MATLAB stores whole ones in as few bytes as they fit into.
    private func numbers(_ element: Element) throws -> [Float] {
        func load<Value: FixedWidthInteger>(_: Value.Type, _ convert: (Value) -> Float) -> [Float] {
            let size = MemoryLayout<Value>.size
            return element.data.withBytes { bytes in
                (0..<bytes.count / size).map {
                    convert(
                        Value(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * size, as: Value.self)))
                }
            }
        }
        return switch element.kind {
        case .int8: load(Int8.self) { Float($0) }
        case .uint8: load(UInt8.self) { Float($0) }
        case .int16: load(Int16.self) { Float($0) }
        case .uint16: load(UInt16.self) { Float($0) }
        case .int32: load(Int32.self) { Float($0) }
        case .uint32: load(UInt32.self) { Float($0) }
        case .int64: load(Int64.self) { Float($0) }
        case .uint64: load(UInt64.self) { Float($0) }
        case .single: load(UInt32.self) { Float(bitPattern: $0) }
        case .double: load(UInt64.self) { Float(Double(bitPattern: $0)) }
        default: throw damaged("numbers are stored in an unknown way")
        }
    }
}
