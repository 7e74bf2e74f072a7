import Archives
import TestSupport
import Testing

@testable import Images

/// A plain reader of what the encoder writes: enough of GIF to see every pixel again.
private struct GIFReader {
    var frames: [[UInt8]] = []
    var delays: [Int] = []
    var loops: Int?
    private let bytes: [UInt8]
    private var position = 13

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        #expect(Array(bytes.prefix(6)) == Array("GIF89a".utf8))
        while position < bytes.count {
            switch bytes[position] {
            case 0x21: readExtension()
            case 0x2C: readFrame()
            case 0x3B:
                #expect(position == bytes.count - 1)
                return
            default:
                Issue.record("unknown block \(bytes[position]) at \(position)")
                return
            }
        }
        Issue.record("the file has no end mark")
    }

    private func word(_ at: Int) -> Int { Int(bytes[at]) | Int(bytes[at + 1]) << 8 }

    private mutating func blocks() -> [UInt8] {
        var data: [UInt8] = []
        while bytes[position] != 0 {
            let length = Int(bytes[position])
            data += bytes[position + 1...position + length]
            position += length + 1
        }
        position += 1
        return data
    }

    private mutating func readExtension() {
        let label = bytes[position + 1]
        position += 2
        let data = blocks()
        if label == 0xF9 { delays.append(Int(data[1]) | Int(data[2]) << 8) }
        if label == 0xFF { loops = Int(data[12]) | Int(data[13]) << 8 }
    }

    private mutating func readFrame() {
        let (width, height) = (word(position + 5), word(position + 7))
        let size = 3 << (Int(bytes[position + 9] & 7) + 1)
        let table = Array(bytes[position + 10..<position + 10 + size])
        let codeBits = Int(bytes[position + 10 + size])
        position += 11 + size
        let indices = Self.decode(blocks(), codeBits: codeBits)
        #expect(indices.count == width * height)
        frames.append(indices.flatMap { table[3 * Int($0)..<3 * Int($0) + 3] })
    }

    private static func decode(_ data: [UInt8], codeBits: Int) -> [UInt8] {
        let (clear, end) = (1 << codeBits, 1 << codeBits + 1)
        var (table, width, previous): ([[UInt8]], Int, [UInt8]?) = ([], codeBits + 1, nil)
        var output: [UInt8] = []
        var bit = 0
        while bit + width <= data.count * 8 {
            let code = (0..<width).reduce(0) {
                $0 | Int(data[(bit + $1) / 8] >> UInt8((bit + $1) % 8) & 1) << $1
            }
            bit += width
            if code == end { return output }
            if code == clear {
                table = (0..<clear).map { [UInt8(truncatingIfNeeded: $0)] } + [[], []]
                (width, previous) = (codeBits + 1, nil)
                continue
            }
            let string = code < table.count ? table[code] : (previous ?? []) + [(previous ?? [0])[0]]
            output += string
            if let previous, table.count < 4_096 { table.append(previous + [string[0]]) }
            if table.count == 1 << width && width < 12 { width += 1 }
            previous = string
        }
        Issue.record("the code has no end")
        return output
    }
}

@Suite struct GIFTests {
    @Test(arguments: [(1, 1, 1), (3, 5, 2), (40, 30, 7), (64, 64, 16), (90, 70, 256), (150, 130, 256)])
    func `pictures of up to 256 colours come back exactly`(width: Int, height: Int, colors: Int) throws {
        var state: UInt32 = 1
        let samples = (0..<width * height).flatMap { _ -> [UInt8] in
            state = state &* 1_664_525 &+ 1_013_904_223
            let color = Int(state >> 16) % colors
            return [UInt8(color), UInt8(255 - color), UInt8(color * 7 % 256)]
        }
        let image = Image(width: width, height: height, channels: 3, samples: samples)
        for scope in [GIFEncoder.PaletteScope.perFrame, .shared] {
            let file = try GIFReader(
                GIFEncoder(palette: scope).encode([image, image.oriented(by: .upsideDown)]))
            #expect(file.frames == [image.bytes, image.oriented(by: .upsideDown).bytes])
        }
    }

    @Test func `flat pictures, whose strings grow long, come back exactly`() throws {
        let image = Image(width: 400, height: 300, color: [9, 9, 9])
        #expect(try GIFReader(GIFEncoder().encode([image])).frames == [image.bytes])
    }

    @Test func `many colours are approached closely`() throws {
        var samples: [UInt8] = []
        for (y, x) in (0..<64).flatMap({ y in (0..<64).map { (y, $0) } }) {
            samples += [UInt8(x * 4), UInt8(y * 4), UInt8((x + y) * 2)]
        }
        let image = Image(width: 64, height: 64, channels: 3, samples: samples)
        let back = try GIFReader(GIFEncoder().encode([image])).frames[0]
        let errors = zip(samples, back).map { abs(Int($0) - Int($1)) }
        #expect(Double(errors.reduce(0, +)) / Double(errors.count) < 6)
        #expect((errors.max() ?? 0) < 40)
    }

    @Test func `times and repetitions are as asked for`() throws {
        let image = Image(width: 2, height: 2, color: [0, 1, 2])
        let encoder = GIFEncoder(frameSeconds: 0.05, lastFrameSeconds: 2, loopCount: 3)
        let file = try GIFReader(encoder.encode([image, image, image]))
        #expect(file.delays == [5, 5, 200] && file.loops == 3)
        #expect(try GIFReader(encoder.encode([image])).loops == nil)
    }

    @Test func `no frames and unequal frames are refused`() {
        let frames = [Image(width: 2, height: 2, color: [0]), Image(width: 3, height: 2, color: [0])]
        #expect(throws: ImageError.self) { try GIFEncoder().encode(frames) }
        #expect(throws: ImageError.self) { try GIFEncoder().encode([]) }
    }
}
