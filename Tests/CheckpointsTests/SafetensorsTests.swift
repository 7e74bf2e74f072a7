import Archives
import Checkpoints
import TestSupport
import Tensors
import Testing

@Suite struct SafetensorsTests {
    private static let samples = [
        StoredTensor(name: "b.weight", shape: [2, 3], floats: [1, -2, 0.5, .infinity, 0, 3]),
        StoredTensor(name: "half", shape: [3], floats: [1, 0.1, -65504], as: .float16),
        StoredTensor(name: "brain", shape: [1, 3], floats: [1, 0.1, 3e38], as: .bfloat16),
        StoredTensor(name: "double", shape: [], doubles: [0.1]),
        StoredTensor(name: "count", shape: [2], integers: [.max, -1]),
        StoredTensor(name: "pixels", shape: [1, 1, 3], bytes: [0, 128, 255]),
        StoredTensor(name: "empty", shape: [0, 4], floats: []),
        StoredTensor(name: "ä\"\n", shape: [1], integers: [1], as: .bool),
    ]

    @Test func `what is written is read back, aligned and in a fixed order`() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.safetensors"
            try SafetensorsFile.write(Self.samples, metadata: ["config": "{\"a\": 1}", "b": ""], to: path)
            let first = try bytes(of: path)
            let file = try SafetensorsFile(path: path)
            #expect(file.metadata == ["config": "{\"a\": 1}", "b": ""])
            #expect(file.tensors.count == Self.samples.count)
            for sample in Self.samples {
                let tensor = try file.tensor(named: sample.name)
                #expect(tensor.shape == sample.shape && tensor.type == sample.type, "\(sample.name)")
                #expect(tensor.bytes.array == sample.bytes.array, "\(sample.name)")
            }
            #expect(try #require(ByteSlice(first).integer(at: 0, as: UInt64.self)) % 8 == 0)
            try SafetensorsFile.write(
                Self.samples.reversed(), metadata: ["b": "", "config": "{\"a\": 1}"], to: path)
            #expect(try bytes(of: path) == first)
            let error = #expect(throws: CheckpointFileError.self) { try file.tensor(named: "c") }
            #expect(error?.description == "\(path): c is missing")
        }
    }

    @Test func `a tensor is encoded in pieces as in one`() throws {
        try withTemporaryFolder { folder in
            let values = (0..<150_001).map { Float($0) * 0.37 - 1000 }
            let tensor = Tensor(shape: [150_001], scalars: values)
            for type in [StoredType.float32, .bfloat16, .float16, .float64, .int64, .uint8] {
                let outgoing = OutgoingTensor(name: "x", tensor, shape: [1, 150_001], as: type)
                try SafetensorsFile.write([outgoing], to: folder + "/x")
                let read = try SafetensorsFile(path: folder + "/x").tensor(named: "x")
                #expect(read.shape == [1, 150_001])
                #expect(
                    read.bytes.array
                        == StoredTensor(name: "x", shape: [150_001], floats: values, as: type).bytes.array)
            }
        }
    }

    @Test func `conversions keep what the target can hold`() {
        let integers = StoredTensor(name: "i", shape: [4], integers: [-1, 3, 300, 1 << 40], as: .int64)
        #expect(integers.floats == [-1, 3, 300, 0x1p40])
        #expect(integers.converted(to: .uint8).integers == [0, 3, 255, 255])
        #expect(integers.converted(to: .int16).integers == [-1, 3, 300, 32767])
        #expect(integers.converted(to: .float64).doubles == [-1, 3, 300, 0x1p40])
        let floats = StoredTensor(name: "f", shape: [2, 2], doubles: [0.1, -2.5, .nan, 1e300])
        #expect(floats.floats[0] == 0.1 && floats.floats[3] == .infinity)
        #expect(floats.integers == [0, -2, 0, .max])
        #expect(floats.converted(to: .float32).tensor.shape == [2, 2])
        #expect(StoredTensor(name: "b", shape: [2], integers: [5, 0], as: .bool).floats == [1, 0])
    }

    @Test func `a name that occurs twice is refused and nothing is left`() throws {
        try withTemporaryFolder { folder in
            let twice = [Self.samples[0], Self.samples[0]]
            #expect(throws: CheckpointFileError.self) { try SafetensorsFile.write(twice, to: folder + "/x") }
            let names = try folderContents(folder)
            #expect(names == [])
        }
    }

    private static let hostile = [
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            "twice"
        ),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "8 bytes, but has 4"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "lies at bytes"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "lies at bytes"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, "lies at bytes"),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "believable shape"),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, "believable shape"),
        (
            #"{"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}"#,
            "believable shape"
        ),
        (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, "believable shape"),
        (#"{"a":{"dtype":"F8","shape":[4],"data_offsets":[0,4]}}"#, "dtype F8"),
        (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, "no dtype"),
        (#"{"a":{"dtype":"F32","shape":[1]}}"#, "no data_offsets"),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}"#, "gap"),
        (
            #"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
            "overlaps"
        ),
        (#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#, "belong to no tensor"),
        (#"{"__metadata__":{"a":1}}"#, "other than text"), (#"[]"#, "no object"), (#"{"a":"#, "expected"),
        (#"{"a":5}"#, "no dtype"),
    ]

    @Test(arguments: hostile)
    func `a header that lies is refused`(_ header: String, _ reason: String) {
        var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
        bytes += Array(header.utf8) + [0, 0, 0, 0]
        let error = #expect(throws: CheckpointFileError.self) {
            try SafetensorsFile(ByteSlice(bytes), path: "x")
        }
        #expect(error?.description.contains(reason) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test(arguments: [
        [], [1, 2, 3], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7B], [0, 0, 0, 0, 0, 0, 0, 0],
    ])
    func `an absurd header size is refused`(_ bytes: [UInt8]) {
        #expect(throws: CheckpointFileError.self) { try SafetensorsFile(ByteSlice(bytes), path: "x") }
    }

    @Test func `no damaged byte and no cut makes it crash`() throws {
        let sound = try bytes(of: TestData.fixture("denoise/pth_tiny_expected.safetensors"))
        for position in sound.indices {
            var damaged = sound
            damaged[position] ^= UInt8(truncatingIfNeeded: 1 << (position % 8))
            do {
                for tensor in try SafetensorsFile(ByteSlice(damaged), path: "x").tensors { _ = tensor.floats }
            } catch is CheckpointFileError {}
        }
        for count in 0..<sound.count {
            #expect(throws: CheckpointFileError.self) {
                try SafetensorsFile(ByteSlice(Array(sound[..<count])), path: "x")
            }
        }
    }
}

@Suite struct NumPyTests {
    /// `numpy.save` of `numpy.asfortranarray([[1, 2, 3], [4, 5, 6]], '<i2')`, version 1.0.
    @Test func `a column-major array is turned`() throws {
        let header = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n"
        let bytes: [UInt8] =
            [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
            + [1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0]
        let tensor = try NumPyArray.read(ByteSlice(bytes), name: "x", file: "x.npy")
        #expect(tensor.shape == [2, 3] && tensor.integers == [1, 2, 3, 4, 5, 6])
    }

    @Test(arguments: [false, true])
    func `a batch of images and labels survives`(_ isCompressed: Bool) throws {
        try withTemporaryFolder { folder in
            let images = StoredTensor(name: "arr_0", shape: [2, 3, 5, 3], bytes: (0..<90).map { UInt8($0) })
            let tensors = [
                images, StoredTensor(name: "arr_1", shape: [2], integers: [3, 9]),
                StoredTensor(name: "mu", shape: [], doubles: [0.5]),
                StoredTensor(name: "e", shape: [0], floats: []),
            ]
            try NumPyArchive.write(tensors, to: folder + "/a.npz", isCompressed: isCompressed)
            let read = try NumPyArchive.read(path: folder + "/a.npz")
            #expect(read.map(\.name) == tensors.map(\.name))
            for (one, other) in zip(read, tensors) {
                #expect(
                    one.shape == other.shape && one.type == other.type && one.bytes.array == other.bytes.array
                )
            }
            #expect(try WeightsFile.read(path: folder + "/a.npz").count == 4)
        }
    }

    @Test(arguments: [
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '>c8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "__import__('os')",
        "",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } + 1", "{'descr': '<f4", "{'shape': (1",
    ])
    func `a header that lies or holds objects is refused`(_ header: String) {
        let bytes: [UInt8] =
            [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + [
                0, 0, 128, 63,
            ]
        #expect(throws: CheckpointFileError.self) {
            try NumPyArray.read(ByteSlice(bytes), name: "x", file: "x.npz")
        }
    }

    @Test func `big-endian numbers are turned round`() throws {
        let header = "{'descr': '>f4', 'fortran_order': True, 'shape': (2,), }"
        let bytes: [UInt8] =
            [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + [
                63, 128, 0, 0, 64, 0, 0, 0,
            ]
        #expect(try NumPyArray.read(ByteSlice(bytes), name: "x", file: "x.npz").floats == [1, 2])
    }
}
