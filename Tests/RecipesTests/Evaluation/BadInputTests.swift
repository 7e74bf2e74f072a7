import Archives
import Checkpoints
import Images
import Metrics
import TestSupport
import Tensors
import Testing

@testable import Recipes

/// What people hand to an evaluation by mistake or by malice: one clear error each.
@Suite struct EvaluationBadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        /// Makes the damaged thing at a path.
        let make: @Sendable (String) throws -> Void
        /// What the error must say.
        let says: String

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "nothing.zip", make: { _ in }, says: "there is no such folder or file"),
        Case(name: "empty", make: { try makeFolder($0) }, says: "no PNG or JPEG image"),
        Case(name: "text.npz", make: { try AtomicFile.write("hello", to: $0) }, says: "zip"),
        Case(
            name: "one-image", make: { try images(1, $0) }, says: "1 image(s), a comparison needs at least 2"),
        Case(
            name: "cut", make: { try images(3, $0, keeping: 60) }, says: "0.png"),
        Case(
            name: "empty.npz",
            make: { try array(StoredTensor(name: "arr_0", shape: [0, 8, 8, 3], bytes: []), $0) },
            says: "holds no image"),
        Case(
            name: "floats.npz",
            make: {
                try array(
                    StoredTensor(
                        name: "arr_0", shape: [2, 2, 2, 3], floats: [Float](repeating: 0, count: 24)), $0)
            }, says: "no uint8 images [N, H, W, 3]"),
        Case(
            name: "huge.npz", make: { try header("(9999999999, 9999999, 512, 3)", $0) },
            says: "header that makes no sense"),
        Case(name: "long.npz", make: { try header("(1000, 64, 64, 3)", $0) }, says: "but has 16"),
        Case(
            name: "nan.npz",
            make: { try statistics(mean: [0, .nan], covariance: [1, 0, 0, 1], $0) },
            says: "the mean's value 1 is nan"),
        Case(
            name: "shape.npz", make: { try statistics(mean: [0, 1], covariance: [1, 0, 0], $0) },
            says: "statistics are [D] and [D, D]"),
        Case(
            name: "statistics.npz", make: { try statistics(mean: [0, 1], covariance: [1, 0, 0, 1], $0) },
            says: "it holds statistics, no images"),
    ]

    @Test(arguments: cases)
    func `a damaged or wrong set is one error that names it`(_ bad: Case) throws {
        try withTemporaryFolder { folder in
            let (path, real) = (joinPath(folder, bad.name), joinPath(folder, "real"))
            try bad.make(path)
            try Self.images(6, real)
            var request = EvaluationRequest(samples: path, against: real)
            request.metrics = ["fd-wm"]
            let error = #expect(throws: (any Error).self) { try Evaluation(request).report() }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains(bad.name) && text.contains(bad.says), "\(text)")
        }
    }

    @Test(arguments: [
        (["fidd"], "did you mean \"fid\"?"), (["prcd"], "did you mean \"prdc\"?"),
        (["fid"], "needs Inception's weights"), (["lpips"], "needs the weights of alex"),
        (["psnr"], "pairs need equally many images"),
    ])
    func `a metric that cannot be had says why`(_ metrics: [String], _ says: String) throws {
        try withTemporaryFolder { folder in
            let (samples, real) = (joinPath(folder, "samples"), joinPath(folder, "real"))
            try Self.images(3, samples)
            try Self.images(6, real)
            var request = EvaluationRequest(samples: samples, against: real)
            request.metrics = metrics
            let error = #expect(throws: (any Error).self) { try Evaluation(request).report() }
            #expect("\(error.map { "\($0)" } ?? "")".contains(says))
        }
    }

    @Test(arguments: ["text.pth", "other.safetensors"])
    func `weights that are not Inception's are refused`(_ name: String) throws {
        try withTemporaryFolder { folder in
            let (path, set) = (joinPath(folder, name), joinPath(folder, "set"))
            if name.hasSuffix(".pth") {
                try AtomicFile.write("weights?", to: path)
            } else {
                try SafetensorsFile.write([StoredTensor(name: "w", shape: [1], floats: [1])], to: path)
            }
            try Self.images(4, set)
            var request = EvaluationRequest(samples: set, against: set)
            (request.metrics, request.inception) = (["fid"], path)
            let error = #expect(throws: (any Error).self) { try Evaluation(request) }
            #expect("\(error.map { "\($0)" } ?? "")".contains(name))
        }
    }

    @Test func `equal images everywhere give numbers and a warning`() throws {
        try withTemporaryFolder { folder in
            for name in ["samples", "real"] { try Self.images(20, joinPath(folder, name), areEqual: true) }
            let report = try Evaluation(
                EvaluationRequest(
                    samples: joinPath(folder, "samples"), against: joinPath(folder, "real"))
            ).report()
            #expect(report.rows.allSatisfy { $0.value.isFinite })
            #expect(abs(report["fd-wm"]?.value ?? 1) < 1e-12 && report["precision"]?.value == 1)
            #expect(report.warnings.contains { $0.contains("19 of 20 images are exact duplicates") })
        }
    }

    // MARK: -

    static func picture(_ seed: Int, side: Int = 32) -> Image {
        let values = RandomStream(seed: UInt64(seed)).normals([side * side * 3]).scalars
        let samples = values.enumerated().map { index, noise in
            UInt8(max(0, min(255, Float(index % 96 * 2) + 20 * noise)))
        }
        return Image(width: side, height: side, channels: 3, samples: samples)
    }

    static func images(_ count: Int, _ folder: String, areEqual: Bool = false, keeping: Int? = nil) throws {
        try makeFolder(folder)
        for index in 0..<count {
            let bytes = try picture(areEqual ? 0 : index + 1).pngBytes()
            try AtomicFile.write(bytes.prefix(keeping ?? bytes.count), to: joinPath(folder, "\(index).png"))
        }
    }

    private static func array(_ tensor: StoredTensor, _ path: String) throws {
        try NumPyArchive.write([tensor], to: path)
    }

    private static func statistics(mean: [Double], covariance: [Double], _ path: String) throws {
        let size = covariance.count == 4 ? [2, 2] : [covariance.count]
        try NumPyArchive.write(
            [
                StoredTensor(name: "mu", shape: [mean.count], doubles: mean),
                StoredTensor(name: "sigma", shape: size, doubles: covariance),
            ], to: path)
    }

    /// An array whose header claims a shape that its sixteen bytes do not have.
    private static func header(_ shape: String, _ path: String) throws {
        let text = Array("{'descr': '|u1', 'fortran_order': False, 'shape': \(shape), }\n".utf8)
        let bytes = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count), 0] + text
        let writer = try ZipWriter(path: path)
        try writer.add("arr_0.npy", bytes + [UInt8](repeating: 0, count: 16), method: .stored)
        try writer.finish()
    }
}
