import Archives
import Checkpoints
import TestSupport
import Testing

@Suite struct TorchFileTests {
    @Test(arguments: ["pth_tiny_zip.pth", "pth_tiny_legacy.pth"])
    func `every type, view and empty tensor reads as PyTorch saved it`(_ name: String) throws {
        let expected = try SafetensorsFile(path: TestData.fixture("denoise/pth_tiny_expected.safetensors"))
        let file = try TorchFile(path: TestData.fixture("denoise/" + name))
        let tensors = try file.stateDictionary()
        #expect(Set(tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
        for tensor in tensors { expectSame(tensor, try expected.tensor(named: tensor.name)) }
        #expect(file.root["iter"]?.integer == 3)
    }

    @Test func `parameters are their tensors`() throws {
        let expected = try SafetensorsFile(path: TestData.fixture("denoise/pth_tiny_expected.safetensors"))
        let file = try TorchFile(path: TestData.fixture("denoise/pth_tiny_parameters_zip.pth"))
        let tensors = try file.stateDictionary()
        #expect(!tensors.isEmpty)
        for tensor in tensors { expectSame(tensor, try expected.tensor(named: tensor.name)) }
    }

    private static let published = [
        ("dncnn_pytorch_sigma25.pth", "dncnn_pytorch_sigma25.safetensors"),
        ("kair_dncnn_25.pth", "dncnn_gray_sigma25.safetensors"),
    ]

    @Test(
        .enabled(if: TestData.data.map { fileExists($0 + "/denoise/models") } ?? false), arguments: published)
    func `published models read as their converted twins`(_ name: String, _ twin: String) throws {
        let folder = try #require(TestData.data) + "/denoise/models/"
        let expected = try SafetensorsFile(path: folder + twin)
        let tensors = try TorchFile(path: folder + name).stateDictionary()
        #expect(Set(tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
        for tensor in tensors { expectSame(tensor, try expected.tensor(named: tensor.name)) }
    }

    @Test(arguments: ["pth_tiny_zip.pth", "pth_tiny_legacy.pth", "pth_tiny_parameters_zip.pth"])
    func `no damaged byte and no cut makes it crash`(_ name: String) throws {
        let sound = try bytes(of: TestData.fixture("denoise/" + name))
        for position in sound.indices {
            var damaged = sound
            damaged[position] ^= UInt8(truncatingIfNeeded: 1 << (position % 8))
            readHostile(damaged)
        }
        for count in stride(from: 0, to: sound.count, by: 13) { readHostile(Array(sound[..<count])) }
    }

    /// Reading may fail, with an error of the right kind, and must do nothing else.
    private func readHostile(_ bytes: [UInt8]) {
        do {
            let file = try TorchFile(ByteSlice(bytes), path: "hostile.pth")
            _ = file.root.json
            for tensor in try file.stateDictionary() { #expect(tensor.floats.count == tensor.elementCount) }
        } catch is CheckpointFileError {} catch is ArchiveError {} catch { Issue.record("\(error)") }
    }
}

@Suite struct HostilePickleTests {
    @Test func `a class that would run a command is a name and nothing more`() throws {
        let pickle = Pickle().global("os", "system").string("touch /tmp/owned").tuple1().reduce().stop
        let file = try torch(pickle)
        #expect(file.root.className == "os.system")
        #expect(throws: CheckpointFileError.self) { try file.stateDictionary() }
    }

    @Test func `arguments of a training run are reachable`() throws {
        // {"args": argparse.Namespace(model="DiCo-S", image_size=256), "train_steps": 7}
        var pickle = Pickle().emptyDictionary().mark().string("args").global("argparse", "Namespace")
            .emptyTuple()
        pickle = pickle.newObject().emptyDictionary().mark().string("model").string("DiCo-S").string(
            "image_size")
        pickle = pickle.int(256).setItems().build().string("train_steps").int(7).setItems()
        let file = try torch(pickle.stop)
        #expect(file.root["args"]?["model"]?.string == "DiCo-S")
        #expect(file.root["args"]?.json == ["model": "DiCo-S", "image_size": 256])
        #expect(file.root["train_steps"]?.integer == 7)
        #expect(file.root.json == ["args": ["model": "DiCo-S", "image_size": 256], "train_steps": 7])
    }

    @Test func `averaged weights are preferred, and prefixes of parallel training removed`() throws {
        var pickle = Pickle().emptyDictionary().mark().string("model").emptyDictionary().string("module.w")
        pickle = pickle.tensor(offset: 0, shape: [2], strides: [1]).setItem().string("ema").emptyDictionary()
        pickle = pickle.string("module._orig_mod.w").tensor(offset: 2, shape: [2, 1], strides: [1, 1])
            .setItem().setItems()
        let file = try torch(pickle.stop, storage: [1, 2, 3, 4, 5, 6])
        let weights = try file.stateDictionary()
        #expect(weights.map(\.name) == ["w"])
        #expect(weights[0].floats == [3, 4])
        #expect(try file.stateDictionary(containers: ["model"])[0].floats == [1, 2])
    }

    @Test func `a transposed, overlapping and repeated view is gathered`() throws {
        let pickle = Pickle().emptyDictionary().string("t").tensor(
            offset: 1, shape: [3, 2, 2], strides: [1, 0, 2])
        let weights = try torch(pickle.setItem().stop, storage: [0, 1, 2, 3, 4, 5]).stateDictionary()
        #expect(weights[0].floats == [1, 3, 1, 3, 2, 4, 2, 4, 3, 5, 3, 5])
    }

    @Test(arguments: [
        (0, [7], [1]), (-1, [2], [1]), (5, [2], [1]), (0, [2], [-1]), (0, [-1], [1]),
        (0, [2, 2], [Int(Int32.max), 1]),
        (0, [1 << 30, 1 << 30, 1 << 30], [0, 0, 0]), (0, [1 << 30, 4], [0, 0]),
    ])
    func `a shape that its storage cannot fill is refused`(_ offset: Int, _ shape: [Int], _ strides: [Int])
        throws
    {
        let pickle = Pickle().emptyDictionary().string("t").tensor(
            offset: offset, shape: shape, strides: strides)
        let file = try torch(pickle.setItem().stop, storage: [0, 1, 2, 3, 4, 5])
        let error = #expect(throws: CheckpointFileError.self) { try file.stateDictionary() }
        #expect(error?.tensor == "t")
    }

    @Test func `a million nested tuples neither overflow the stack nor are walked`() throws {
        let pickle = Pickle([0x80, 2, 0x29] + [UInt8](repeating: 0x85, count: 1_000_000) + [0x2E])
        let file = try torch(pickle.bytes)
        #expect(throws: CheckpointFileError.self) { try file.stateDictionary() }
        _ = file.root.json
    }

    @Test func `lists that double thirty times are not expanded`() throws {
        // x0 = (), x(n+1) = (xn, xn)
        var pickle = Pickle([0x80, 2, 0x29])
        for _ in 0..<60 { pickle.bytes += [0x32, 0x86] }
        let file = try torch(pickle.stop)
        #expect(throws: CheckpointFileError.self) { try file.stateDictionary() }
        _ = file.root.json
    }

    @Test func `a long list appended to item by item takes linear time`() throws {
        let count = 400_000
        let items = [UInt8](repeating: 0, count: 2 * count).enumerated().map {
            $0.offset % 2 == 0 ? UInt8(0x4E) : 0x61
        }
        let clock = ContinuousClock()
        let elapsed = try clock.measure { _ = try torch([0x80, 2, 0x5D] + items + [0x2E]) }
        // Copying the list for each item would move two terabytes.
        #expect(elapsed < .seconds(60))
    }

    @Test func `a list that holds itself is not walked for ever`() throws {
        let file = try torch([0x80, 2, 0x5D, 0x71, 0, 0x68, 0, 0x61, 0x2E])
        #expect(throws: CheckpointFileError.self) { try file.stateDictionary() }
        _ = file.root.json
    }

    @Test(
        arguments: [
            ([0x80, 2], "ends without a stop"), ([0x80, 2, 0x2E], "stops without a value"),
            ([0x80, 2, 0x85, 0x2E], "needs a missing value"),
            ([0x80, 2, 0x74, 0x2E], "needs a missing mark"),
            ([0x80, 2, 0x68, 9, 0x2E], "recalls what it never stored"),
            ([0x80, 2, 0x4E, 0x4E, 0x61], "appends"),
            ([0x80, 2, 0x58, 0xFF, 0xFF, 0xFF, 0x7F], "is cut short"), ([0x80, 2, 0x49], "instruction 0x49"),
            ([0x80, 9], "protocol"), ([0x80, 2, 0x63, 0x61], "a name without end"),
            ([0x80, 2, 0x7D, 0x28, 0x4E, 0x75], "a key without a value"),
        ] as [([UInt8], String)])
    func `instructions without sense are named`(_ pickle: [UInt8], _ reason: String) throws {
        let error = #expect(throws: CheckpointFileError.self) { try torch(pickle) }
        #expect(error?.description.contains(reason) == true, "\(error.map { "\($0)" } ?? "")")
        #expect(error?.file == "test.pth")
    }

    @Test func `other files are told apart`() {
        #expect(throws: CheckpointFileError.self) {
            try TorchFile(ByteSlice(Array("hello".utf8)), path: "x.pth")
        }
        #expect(throws: CheckpointFileError.self) {
            try TorchFile(ByteSlice([0x80, 2, 0x4E, 0x2E]), path: "x.pth")
        }
    }

    private func torch(_ pickle: [UInt8], storage: [Float] = []) throws -> TorchFile {
        try withTemporaryFolder { folder in
            let writer = try ZipWriter(path: folder + "/t.pth")
            try writer.add("t/data.pkl", pickle, method: .stored)
            try storage.withUnsafeBytes { try writer.add("t/data/0", $0, method: .stored) }
            try writer.finish()
            return try TorchFile(ByteSlice(bytes(of: folder + "/t.pth")), path: "test.pth")
        }
    }
}

/// A pickle under construction.
private struct Pickle {
    var bytes: [UInt8] = [0x80, 2]

    init(_ bytes: [UInt8] = [0x80, 2]) { self.bytes = bytes }

    private func adding(_ more: [UInt8]) -> Pickle { Pickle(bytes + more) }

    var stop: [UInt8] { bytes + [0x2E] }
    func mark() -> Pickle { adding([0x28]) }
    func emptyTuple() -> Pickle { adding([0x29]) }
    func tuple() -> Pickle { adding([0x74]) }
    func tuple1() -> Pickle { adding([0x85]) }
    func emptyDictionary() -> Pickle { adding([0x7D]) }
    func setItem() -> Pickle { adding([0x73]) }
    func setItems() -> Pickle { adding([0x75]) }
    func reduce() -> Pickle { adding([0x52]) }
    func newObject() -> Pickle { adding([0x81]) }
    func build() -> Pickle { adding([0x62]) }
    func global(_ module: String, _ name: String) -> Pickle {
        adding([0x63] + Array("\(module)\n\(name)\n".utf8))
    }

    func int(_ value: Int) -> Pickle {
        adding([0x8A, 8] + (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }

    func string(_ text: String) -> Pickle {
        adding(
            [0x58] + (0..<4).map { UInt8(truncatingIfNeeded: text.utf8.count >> (8 * $0)) } + Array(text.utf8)
        )
    }

    func integers(_ values: [Int]) -> Pickle { values.reduce(mark()) { $0.int($1) }.tuple() }

    /// A tensor over storage 0, which has six float32 scalars.
    func tensor(offset: Int, shape: [Int], strides: [Int]) -> Pickle {
        var pickle = global("torch._utils", "_rebuild_tensor_v2").mark().mark().string("storage")
        pickle = pickle.global("torch", "FloatStorage").string("0").string("cpu").int(6)
        return pickle.tuple().adding([0x51]).int(offset).integers(shape).integers(strides).tuple().reduce()
    }
}

private func expectSame(_ found: StoredTensor, _ expected: StoredTensor) {
    #expect(found.shape == expected.shape && found.type == expected.type, "\(found.name)")
    #expect(found.bytes.array == expected.bytes.array, "\(found.name)")
}
