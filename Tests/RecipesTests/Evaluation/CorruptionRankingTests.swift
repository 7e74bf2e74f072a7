import Archives
import Images
import Metrics
import TestSupport
import Tensors
import Testing
import Training

@testable import Recipes

/// What a score is for: it must rise as images get worse. 300 test images of CIFAR-10, made worse in four ways, against 600 of its
/// training images; the order of the scores is to be that of the severities (Spearman's rank correlation 1).
@Suite(.enabled(if: TestData.data != nil, "needs CIFAR-10 in SFUMATO_DATA"))
struct CorruptionRankingTests {
    private static let networkPath = TestData.root + "/samplers/weights/featnet-cifar10.safetensors"

    private static func images(_ name: String, perClass: Int, classes: Int = 10) throws -> [PixelGrid] {
        let path = joinPath(try #require(TestData.data), "cifar10/\(name).zip")
        let dataset = try DatasetSpecification(kind: .zip, path: path).open()
        var taken = [Int](repeating: 0, count: 10)
        return try (0..<dataset.count).compactMap { index in
            let label = try #require(dataset.label(at: index))
            guard label < classes, taken[label] < perClass else { return nil }
            taken[label] += 1
            return PixelGrid(rgb: try dataset.image(at: index))
        }
    }

    /// Scores of one sweep, mildest first.
    private func scores(_ sets: [[PixelGrid]]) throws -> (features: [Double], wavelets: [Double]) {
        let reference = try Self.images("train", perClass: 60)
        let network = try FeatNet(path: Self.networkPath)
        let (real, realWavelets) = (network.features(of: reference), try Self.wavelets(reference))
        return (
            try sets.map { try FrechetDistance.between(network.features(of: $0), real).distance },
            try sets.map { try WaveletModulus.distance(Self.wavelets($0), reference: realWavelets).distance }
        )
    }

    private static func wavelets(_ images: [PixelGrid]) throws -> FeatureStatistics {
        let rows = images.map(WaveletModulus.features)
        return try FeatureStatistics(
            of: Matrix(rows: rows.count, columns: WaveletModulus.dimensions, values: rows.flatMap { $0 }))
    }

    private func expectRising(_ kind: String, _ sets: [[PixelGrid]], wavelets: Bool = true) throws {
        let scores = try scores(sets)
        func isRising(_ values: [Double]) -> Bool { zip(values, values.dropFirst()).allSatisfy { $0 < $1 } }
        #expect(isRising(scores.features), "\(kind): fd-feat \(scores.features)")
        if wavelets { #expect(isRising(scores.wavelets), "\(kind): fd-wm \(scores.wavelets)") }
    }

    private func altered(_ images: [PixelGrid], _ change: (PixelGrid, Int) throws -> PixelGrid) rethrows
        -> [PixelGrid]
    {
        try images.enumerated().map { try change($0.element, $0.offset) }
    }

    @Test func `scores rise with noise`() throws {
        let clean = try Self.images("test", perClass: 30)
        let noise = RandomStream(seed: 1).normals([clean.count, 32 * 32 * 3])
        let sets = [0, 4, 8, 16, 32].map { sigma in
            altered(clean) { image, index in
                let added = noise.samples(index..<index + 1).scalars
                return PixelGrid(
                    height: 32, width: 32, channels: 3,
                    values: zip(image.values, added).map {
                        min(255, max(0, $0 + Double(sigma) * Double($1))).rounded()
                    })
            }
        }
        try expectRising("noise", sets)
    }

    @Test func `scores rise with blur`() throws {
        let clean = try Self.images("test", perClass: 30)
        let all = Tensor(
            shape: [clean.count, 32, 32, 3], scalars: clean.flatMap { $0.values.map { Float($0) } })
        let box = Tensor(repeating: 1 / 9, shape: [3, 1, 3, 3])
        let smooth = all.convolved(with: box, padding: 1, groups: 3)
        let sets = [Float(0), 0.2, 0.4, 0.7, 1].map { share in
            let mixed = (all * (1 - share) + smooth * share).scalars
            return altered(clean) { _, index in
                PixelGrid(
                    height: 32, width: 32, channels: 3,
                    values: mixed[index * 3072..<(index + 1) * 3072].map { Double($0).rounded() })
            }
        }
        try expectRising("blur", sets)
    }

    @Test func `scores rise with compression`() throws {
        let clean = try Self.images("test", perClass: 30)
        let sets = try [80, 40, 20, 8].map { quality in
            try altered(clean) { image, _ in
                let picture = Image(
                    width: 32, height: 32, channels: 3, samples: image.values.map { UInt8($0) })
                let bytes = try picture.jpegBytes(quality: quality)
                return PixelGrid(rgb: try Image(decoding: ByteSlice(bytes)))
            }
        }
        try expectRising("JPEG", sets)
    }

    @Test func `scores rise as classes are lost`() throws {
        let sets = try [10, 7, 4, 2, 1].map { classes in
            try Self.images("test", perClass: 300 / classes, classes: classes)
        }
        try expectRising("classes", sets, wavelets: false)
    }
}
