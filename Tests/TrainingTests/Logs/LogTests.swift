import Archives
import Checkpoints
import TestSupport
import Testing
import Training

@Suite struct JSONLinesLogTests {
    @Test func `lines are added to those of an earlier run, and an unfinished one is closed`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/log.jsonl"
            try JSONLinesLog(path: path).append(["step": 1, "loss": 0.5])
            try AtomicFile.write(
                String(decoding: try bytes(of: path), as: UTF8.self) + "{\"step\":2,\"lo", to: path)
            try JSONLinesLog(path: path).append(["step": 3, "loss": .number(.nan), "name": "a\"b\n"])
            let text = String(decoding: try bytes(of: path), as: UTF8.self)
            let lines =
                #"{"loss":0.5,"step":1}"# + "\n{\"step\":2,\"lo\n"
                + #"{"loss":null,"name":"a\"b\n","step":3}"# + "\n"
            #expect(text == lines)
        }
    }

    @Test func `a folder that does not exist is named`() {
        #expect(throws: FileError(path: "/nowhere/log.jsonl", action: "write", code: 2)) {
            try JSONLinesLog(path: "/nowhere/log.jsonl")
        }
    }
}

@Suite struct EventFileTests {
    @Test func `an independent decoder reads back scalars and images`() throws {
        try withTemporaryFolder { folder in
            let png: [UInt8] = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
            let file = try EventFile(folder: folder, wallTime: 1_700_000_000.5, unique: "7")
            try file.add("loss", 0.25, step: 300, wallTime: 1_700_000_001)
            try file.add("samples", png: png, width: 40, height: 30, step: 301, wallTime: 1_700_000_002)
            #expect(splitPath(file.path).name == "events.out.tfevents.1700000000.sfumato.7")

            let events = try records(in: bytes(of: file.path)).map(Message.init)
            #expect(events.count == 3)
            #expect(events[0].double(1) == 1_700_000_000.5)
            #expect(events[0].text(3) == "brain.Event:2")

            #expect(events[1].double(1) == 1_700_000_001)
            #expect(events[1].varints[2] == 300)
            let scalar = events[1].message(5).message(1)
            #expect(scalar.text(1) == "loss")
            #expect(scalar.fixed32[2].map(Float.init(bitPattern:)) == 0.25)

            let image = events[2].message(5).message(1)
            #expect(image.text(1) == "samples")
            let picture = image.message(4)
            #expect([picture.varints[1], picture.varints[2], picture.varints[3]] == [30, 40, 3])
            #expect(picture.data[4] == png)
        }
    }

    /// Unframes records, checking both checksums bit by bit.
    private func records(in bytes: [UInt8]) throws -> [[UInt8]] {
        var records: [[UInt8]] = []
        var rest = bytes[...]
        func integer(_ count: Int) -> UInt64 {
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while !rest.isEmpty {
            let header = Array(rest.prefix(8))
            let count = Int(integer(8))
            #expect(integer(4) == UInt64(maskedChecksum(header)))
            let data = Array(rest.prefix(count))
            try #require(data.count == count)
            rest = rest.dropFirst(count)
            #expect(integer(4) == UInt64(maskedChecksum(data)))
            records.append(data)
        }
        return records
    }

    private func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = ~0
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        crc = ~crc
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}

/// A protocol-buffer message taken apart.
private struct Message {
    var varints: [Int: UInt64] = [:]
    var fixed64: [Int: UInt64] = [:]
    var fixed32: [Int: UInt32] = [:]
    var data: [Int: [UInt8]] = [:]

    init(_ bytes: [UInt8]) {
        var position = 0
        func varint() -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let byte = bytes[position]
                position += 1
                value |= UInt64(byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { return value }
            }
        }
        func little(_ count: Int) -> UInt64 {
            defer { position += count }
            return bytes[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while position < bytes.count {
            let key = varint()
            let field = Int(key >> 3)
            switch key & 7 {
            case 0: varints[field] = varint()
            case 1: fixed64[field] = little(8)
            case 5: fixed32[field] = UInt32(little(4))
            default:
                let count = Int(varint())
                data[field] = Array(bytes[position..<position + count])
                position += count
            }
        }
    }

    func double(_ field: Int) -> Double? { fixed64[field].map(Double.init(bitPattern:)) }
    func text(_ field: Int) -> String? { data[field].map { String(decoding: $0, as: UTF8.self) } }
    func message(_ field: Int) -> Message { Message(data[field] ?? []) }
}

@Suite struct ProgressMeterTests {
    @Test func `a steady pace gives its rate and the time left`() throws {
        var meter = ProgressMeter(total: 1000, done: 100, seconds: 50)
        #expect(meter.rate == nil && meter.secondsLeft == nil)
        for step in 1...20 { meter.update(done: 100 + 5 * step, seconds: 50 + Double(step)) }
        #expect(abs(try #require(meter.rate) - 5) < 1e-12)
        #expect(abs(try #require(meter.secondsLeft) - 160) < 1e-9)
        #expect(meter.fraction == 0.2)
    }

    @Test func `a slow start is forgotten`() throws {
        var meter = ProgressMeter(total: 10_000, seconds: 0, halfLifeSeconds: 10)
        meter.update(done: 1, seconds: 60)
        for second in 1...100 { meter.update(done: 1 + 10 * second, seconds: 60 + Double(second)) }
        #expect(abs(try #require(meter.rate) - 10) < 0.1)
    }

    @Test(arguments: [
        (0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (192, "3m12s"), (7500, "2h05m"), (284_400, "3d07h"),
        (Double.infinity, "?"), (-3, "0s"),
    ])
    func `durations are short`(_ seconds: Double, _ text: String) {
        #expect(ProgressMeter.text(ofSeconds: seconds) == text)
    }

    @Test(arguments: [
        (1234.4, "1234"), (87.34, "87.3"), (4.556, "4.56"), (0.01234, "0.0123"), (1.005, "1.00"),
        (0, "0.0000"),
    ])
    func `rates are short`(_ rate: Double, _ text: String) {
        #expect(ProgressMeter.text(ofRate: rate) == text)
    }
}
