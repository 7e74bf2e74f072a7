import Archives
import Checkpoints
import TestSupport
import Testing

@Suite struct MatlabFileTests {
    static let folder = joinPath(TestData.vendored, "matlab")

    private static func tensors(_ name: String) throws -> [StoredTensor] {
        try WeightsFile.read(path: joinPath(folder, name)).sorted { $0.name < $1.name }
    }

    @Test(arguments: [("dncnn.mat", "dncnn"), ("dncnn_plain.mat", "dncnn"), ("ffdnet.mat", "ffdnet")])
    func `networks of SimpleNN come out under KAIR's names, merged and reordered`(
        _ file: String, _ expected: String
    ) throws {
        let (found, wanted) = (try Self.tensors(file), try Self.tensors("\(expected)_expected.safetensors"))
        #expect(found.map(\.name) == wanted.map(\.name))
        #expect(found.map(\.shape) == wanted.map(\.shape))
        for (a, b) in zip(found, wanted) {
            for (x, y) in zip(a.floats, b.floats) {
                #expect(abs(x - y) <= 1e-6 * max(1, abs(y)), "\(a.name)")
            }
        }
    }

    @Test(arguments: ["dncnn.mat", "dncnn_plain.mat"])
    func `a file cut short is refused wherever it is cut`(_ name: String) throws {
        let whole = try bytes(of: joinPath(Self.folder, name))
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "cut.mat")
            // The last variable of the uncompressed file is the network, padded to 8 bytes.
            for count in stride(from: 0, to: whole.count - 8, by: max(1, whole.count / 97)) {
                try AtomicFile.write(Array(whole[..<count]), to: path)
                #expect(throws: (any Error).self, "\(count)") { try WeightsFile.read(path: path) }
            }
        }
    }

    @Test func `damaged bytes are read or refused, and never stop the process`() throws {
        let whole = try bytes(of: joinPath(Self.folder, "dncnn_plain.mat"))
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "damaged.mat")
            for position in stride(from: 124, to: whole.count, by: 7) {
                for value in [0, 0x7F, 0xFF] as [UInt8] {
                    var copy = whole
                    copy[position] = value
                    try AtomicFile.write(copy, to: path)
                    _ = try? WeightsFile.read(path: path)
                }
            }
        }
    }

    @Test(arguments: [
        ("MATLAB 7.3 MAT-file", "is a MATLAB 7.3 file, which is HDF5; save it with -v7"),
        ("MATLAB 5.0 MAT-file", "is no little-endian MATLAB file of level 5; save it with -v7"),
    ])
    func `other versions are named`(_ header: String, _ problem: String) throws {
        var content = Array(header.utf8) + Array(repeating: 32, count: 128)
        content = Array(content.prefix(128))
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "other.mat")
            try AtomicFile.write(content, to: path)
            #expect(throws: CheckpointFileError(file: path, problem: problem)) {
                try WeightsFile.read(path: path)
            }
        }
    }
}
