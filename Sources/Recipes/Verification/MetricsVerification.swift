import Checkpoints
import Metrics
import Tensors

/// Rebuilds the parity cases of `parity/metrics`: the metrics' mathematics and the features that need no download.
enum MetricsVerification: FixtureFamily {
    /// A kind of case: the keys that mark it, and what rebuilds it.
    struct Kind: Sendable {
        /// A case of this kind has all of these tensors; `*` stands for anything, once per key.
        let keys: [String]
        let rebuild: @Sendable (Fixture) throws -> MetricsComparisons

        func matches(_ fixture: Fixture) -> Bool {
            keys.allSatisfy { key in
                let ends = key.split(separator: "*", omittingEmptySubsequences: false)
                guard ends.count == 2 else { return fixture.file[key] != nil }
                return fixture.file.tensors.contains {
                    $0.name.hasPrefix(ends[0]) && $0.name.hasSuffix(ends[1])
                }
            }
        }
    }

    /// Asked in this order.
    static let kinds: [Kind] = [
        Kind(keys: ["input.features_1", "input.features_2", "output.fd.*"], rebuild: frechetOfFeatures),
        Kind(
            keys: ["input.mu_1", "input.sigma_1", "input.mu_2", "input.sigma_2"], rebuild: frechetOfStatistics
        ),
        Kind(keys: ["input.features_1", "input.features_2", "output.mmd2.*"], rebuild: kernelDistances),
        Kind(keys: ["input.features_1", "input.features_2", "output.kid.*"], rebuild: kernelDistances),
        Kind(keys: ["input.fake", "input.real", "input.perms", "input.sizes"], rebuild: extrapolation),
        Kind(keys: ["input.fake", "input.real", "output.prdc.*"], rebuild: manifolds),
        Kind(keys: ["input.logits"], rebuild: inceptionScores),
        Kind(keys: ["input.train", "input.generated", "input.test"], rebuild: memorisation),
        Kind(keys: ["output.u32.*"], rebuild: numpyRandom),
        Kind(keys: ["param.cs.0.weight", "input.images"], rebuild: featNet),
        Kind(keys: ["input.reference", "input.generated", "output.reference_std"], rebuild: waveletModulus),
        Kind(keys: ["input.a", "input.b", "output.packet_fd"], rebuild: waveletPackets),
        Kind(keys: ["input.a", "input.b", "output.a.radial_psd"], rebuild: spectra),
        Kind(keys: ["input.a", "input.b", "output.kair.*"], rebuild: imageFidelity),
        Kind(keys: ["input.reference", "output.*.fd_wm"], rebuild: defaultReport),
        Kind(keys: ["output.fnv", "output.u24.*"], rebuild: generatedWeights),
        Kind(keys: ["input.x", "output.y", "output.y_f64_rounded"], rebuild: inceptionBlock),
        Kind(keys: ["input.image_0", "output.tf1.0.2048"], rebuild: inceptionNetwork),
        Kind(keys: ["input.image", "output.pil*"], rebuild: resizing),
        Kind(keys: ["input.image", "output.*_299"], rebuild: networkResizing),
        Kind(keys: ["input.a", "input.b", "output.baseline_no_linear"], rebuild: perceptualDistance),
        Kind(keys: ["output.*.png", "output.*.jpg"], rebuild: decodedImages),
        Kind(keys: ["output.*.npz/mu"], rebuild: storedArrays),
    ]

    static func recognizes(_ fixture: Fixture) -> Bool { kinds.contains { $0.matches(fixture) } }

    static func verify(_ fixture: Fixture) throws -> VerificationResult {
        guard let kind = kinds.first(where: { $0.matches(fixture) }) else {
            throw UnsupportedFixture("\(fixture.name) is no metric's case")
        }
        return try kind.rebuild(fixture).result
    }
}

/// Collects comparisons with the outputs that a case has.
struct MetricsComparisons {
    let fixture: Fixture
    private(set) var result = VerificationResult()

    init(_ fixture: Fixture) { self.fixture = fixture }

    /// The tolerances of the specification: relative to the reference's RMS.
    enum Tolerance {
        static let score = 1e-6
        /// Scores that the reference computed in single precision.
        static let singlePrecisionScore = 1e-5
        static let features = 2e-5
        static let similarity = 1e-5
        static let exact = 0.0
    }

    /// Compares when the case has an output of this name that its package could compute: NaN stands for a failure
    /// of the original.
    mutating func add(_ name: String, within tolerance: Double, _ values: @autoclosure () throws -> [Double])
        rethrows
    {
        guard let expected = fixture.file["output." + name], !expected.doubles.allSatisfy(\.isNaN) else {
            return
        }
        let values = try values()
        let shape = values.count == expected.elementCount ? expected.shape : [values.count]
        result.addOutput(
            Comparison(name: name, values, shape: shape, expected: expected.doubles, shape: expected.shape),
            within: tolerance)
    }

    mutating func add(_ name: String, within tolerance: Double, _ value: @autoclosure () throws -> Double)
        rethrows
    {
        try add(name, within: tolerance, [value()])
    }

    /// A value whose cancellations are to be judged on the scale of its terms: both sides count as zero below
    /// `floor`.
    mutating func add(_ name: String, within tolerance: Double, _ value: Double, floor: Double) {
        guard let expected = fixture.file["output." + name]?.doubles.first, !expected.isNaN else { return }
        let isZero = abs(expected) < floor && abs(value) < floor
        result.addOutput(
            Comparison(
                name: name, [isZero ? 0 : value], shape: [1], expected: [isZero ? 0 : expected], shape: [1]),
            within: tolerance)
    }

    /// The outputs whose names begin with `prefix`, with what follows it.
    func outputs(_ prefix: String) -> [(name: String, rest: String)] {
        fixture.file.tensors(withPrefix: "output." + prefix).map { (prefix + $0.name, $0.name) }
    }
}

extension Fixture {
    /// A stored array as rows of features.
    /// - Throws: `CheckpointFileError` when it is absent or has not two axes.
    func matrix(_ key: String) throws -> Matrix {
        let stored = try file.tensor(named: key)
        guard stored.shape.count == 2 else {
            throw CheckpointFileError(file: path, tensor: key, problem: "is \(stored.shape), needs two axes")
        }
        return Matrix(rows: stored.shape[0], columns: stored.shape[1], values: stored.doubles)
    }

    /// A stored table of whole numbers, a row each.
    func integerRows(_ key: String) throws -> [[Int]] {
        let stored = try file.tensor(named: key)
        let width = stored.shape.last ?? 1
        let values = stored.integers
        return stride(from: 0, to: values.count, by: max(1, width)).map { Array(values[$0..<$0 + width]) }
    }

    /// Stored images `[N, C, H, W]` (or one image `[H, W, C]` when there are three axes).
    func images(_ key: String) throws -> [PixelGrid] {
        let stored = try file.tensor(named: key)
        let (shape, values) = (stored.shape, stored.doubles)
        if shape.count == 3 {
            return [PixelGrid(height: shape[0], width: shape[1], channels: shape[2], values: values)]
        }
        guard shape.count == 4 else {
            throw CheckpointFileError(
                file: path, tensor: key, problem: "is \(shape), needs images [N, C, H, W]")
        }
        let (channels, size) = (shape[1], shape[2] * shape[3])
        return (0..<shape[0]).map { n in
            let start = n * channels * size
            let interleaved = (0..<size * channels).map {
                values[start + $0 % channels * size + $0 / channels]
            }
            return PixelGrid(height: shape[2], width: shape[3], channels: channels, values: interleaved)
        }
    }

    /// One stored image `[C, H, W]`.
    func image(_ key: String) throws -> PixelGrid {
        let stored = try file.tensor(named: key)
        guard stored.shape.count == 3 else {
            throw CheckpointFileError(file: path, tensor: key, problem: "is \(stored.shape), needs [C, H, W]")
        }
        let (c, size) = (stored.shape[0], stored.shape[1] * stored.shape[2])
        let values = stored.doubles
        return PixelGrid(
            height: stored.shape[1], width: stored.shape[2], channels: c,
            values: (0..<size * c).map { values[$0 % c * size + $0 / c] })
    }
}
