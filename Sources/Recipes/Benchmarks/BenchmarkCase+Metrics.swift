import Metrics
import Tensors

extension BenchmarkCase {
    /// The FID network on eight images, and the set measures on features of its size.
    static var metrics: [BenchmarkCase] { [inception(batch: 8), frechet, manifolds(count: 5000)] }

    /// Precision, recall, density and coverage of two sets as large as CIFAR-10's training set.
    static var manifolds: [BenchmarkCase] { [manifolds(count: 50_000)] }

    private static let dimensions = 2048

    static func inception(batch: Int) -> BenchmarkCase {
        BenchmarkCase(
            name: "Inception-v3, \(batch) images of 299×299", imageCount: batch,
            // Convolutions at 299×299; pooling is not counted.
            multiplyAccumulates: Double(batch) * 5.71e9
        ) {
            let random = RandomStream(seed: 1)
            let network = try InceptionExtractor(
                WeightSource { GeneratedWeights.inception($0, $1) }, mode: .clean)
            let images = (0..<batch).map { image in
                PixelGrid(
                    height: 299, width: 299, channels: 3,
                    values: random.stream(UInt64(image)).normals([299 * 299 * 3]).scalars.map {
                        128 + 40 * Double($0)
                    })
            }
            return { _ = try network.features(of: images, includesSpatial: false) }
        }
    }

    private static var frechet: BenchmarkCase {
        BenchmarkCase(
            name: "Fréchet distance of statistics, D = \(dimensions)", imageCount: 1, multiplyAccumulates: 0
        ) {
            let a = try FeatureStatistics(of: features(count: 2 * dimensions, seed: 1))
            let b = try FeatureStatistics(of: features(count: 2 * dimensions, seed: 2))
            return { _ = try FrechetDistance.between(a, b) }
        }
    }

    /// - Parameter count: features of either set; three matrices of distances are made, in double precision.
    private static func manifolds(count: Int) -> BenchmarkCase {
        BenchmarkCase(
            name: "precision, recall, density, coverage, \(count)×\(dimensions)", imageCount: 2 * count,
            multiplyAccumulates: 3 * Double(count) * Double(count) * Double(dimensions)
        ) {
            let (a, b) = (features(count: count, seed: 1), features(count: count, seed: 2))
            return {
                _ = try ManifoldMetrics(
                    samples: Manifold(a, largestK: 5), reference: Manifold(b, largestK: 5), k: 5)
            }
        }
    }

    private static func features(count: Int, seed: UInt64) -> Matrix {
        Matrix(
            rows: count, columns: dimensions,
            floats: RandomStream(seed: seed).normals([count, dimensions]).scalars)
    }
}
