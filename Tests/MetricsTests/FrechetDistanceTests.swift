import Foundation
import Metrics
import Tensors
import Testing

@Suite struct FeatureStatisticsTests {
    @Test func `statistics do not depend on how the rows are batched`() throws {
        let features = normalFeatures(1000, 7)
        let whole = try FeatureStatistics(of: features)
        for size in [1, 13, 256, 999] {
            var accumulator = StatisticsAccumulator(dimensions: 7)
            for start in stride(from: 0, to: 1000, by: size) {
                accumulator.add(features.selecting(rows: start..<min(start + size, 1000)))
            }
            #expect(try accumulator.statistics() == whole)
        }
    }

    @Test func `merged parts give the statistics of the whole`() throws {
        let features = normalFeatures(700, 5, shift: 3)
        var parts = [0..<100, 100..<101, 101..<700].map { range in
            var part = StatisticsAccumulator(dimensions: 5)
            part.add(features.selecting(rows: range))
            return part
        }
        var merged = parts.removeFirst()
        for part in parts { merged.merge(part) }
        let (a, b) = (try merged.statistics(), try FeatureStatistics(of: features))
        #expect(a.count == b.count)
        for (x, y) in zip(a.covariance.values + a.mean, b.covariance.values + b.mean) {
            #expect(abs(x - y) < 1e-13)
        }
    }

    @Test func `a large offset costs no digits`() throws {
        let plain = try FeatureStatistics(of: normalFeatures(400, 3, scale: 1.0 / 1024))
        let shifted = try FeatureStatistics(of: normalFeatures(400, 3, shift: 4096, scale: 1.0 / 1024))
        for (x, y) in zip(plain.covariance.values, shifted.covariance.values) { #expect(abs(x - y) < 1e-13) }
    }

    @Test func `one row, a ragged covariance and non-finite numbers are refused`() {
        let one = #expect(throws: MetricError.self) {
            try FeatureStatistics(of: normalFeatures(1, 3), name: "samples")
        }
        #expect(one?.description == "samples: 1 vector(s) have no covariance; at least 2 are needed.")
        #expect(throws: MetricError.self) {
            try FeatureStatistics(count: 5, mean: [0, 0], covariance: Matrix(zeros: 3, 3))
        }
        var features = normalFeatures(4, 3)
        features[2, 1] = .infinity
        #expect(throws: MetricError.self) { try FeatureStatistics(of: features) }
    }
}

@Suite struct FrechetDistanceTests {
    @Test(arguments: [(50, 16), (5, 40), (2, 3), (30, 1)])
    func `a set's distance from itself is zero`(_ rows: Int, _ columns: Int) throws {
        let features = normalFeatures(rows, columns)
        #expect(try abs(FrechetDistance.between(features, features).distance) < 1e-12)
    }

    @Test func `unit Gaussians one apart in every dimension are as far apart as there are dimensions`() throws
    {
        var identity = Matrix(zeros: 9, 9)
        for i in 0..<9 { identity[i, i] = 1 }
        let a = try FeatureStatistics(count: 10, mean: [Double](repeating: 0, count: 9), covariance: identity)
        let b = try FeatureStatistics(count: 10, mean: [Double](repeating: 1, count: 9), covariance: identity)
        #expect(try abs(FrechetDistance.between(a, b).distance - 9) < 1e-12)
    }

    @Test func `a common rotation changes nothing`() throws {
        let (a, b) = (normalFeatures(60, 6), normalFeatures(50, 6, seed: 2, shift: 0.3, scale: 1.5))
        let rotation = try LinearAlgebra.symmetricEigen(normalFeatures(6, 6, seed: 3).symmetrised).vectors
        let turned = try FrechetDistance.between(
            LinearAlgebra.product(a, rotation), LinearAlgebra.product(b, rotation))
        let plain = try FrechetDistance.between(a, b)
        #expect(abs(turned.distance / plain.distance - 1) < 1e-11)
    }

    @Test func `both routes agree where both apply`() throws {
        let (a, b) = (normalFeatures(20, 24), normalFeatures(25, 24, seed: 2))
        let direct = try FrechetDistance.between(a, b).distance
        let viaStatistics = try FrechetDistance.between(FeatureStatistics(of: a), FeatureStatistics(of: b))
            .distance
        #expect(abs(direct / viaStatistics - 1) < 1e-6)
    }

    @Test func `a collapsed set has a finite distance`() throws {
        let collapsed = Matrix(rows: 9, columns: 4, values: [Double](repeating: 2, count: 36))
        let value = try FrechetDistance.between(normalFeatures(40, 4), collapsed)
        #expect(value.distance.isFinite && value.distance > 0)
        #expect(value.rootTrace == 0)
    }

    @Test func `different extractors are refused`() throws {
        let error = #expect(throws: MetricError.self) {
            try FrechetDistance.between(normalFeatures(9, 3), normalFeatures(9, 4))
        }
        #expect(error?.description.contains("3 and 4 dimensions") == true)
    }

    @Test func `non-finite features are refused by name on the direct route`() {
        var broken = normalFeatures(4, 30)
        broken[3, 7] = .nan
        let error = #expect(throws: MetricError.self) {
            try FrechetDistance.between(normalFeatures(4, 30), broken, names: ("reference", "samples"))
        }
        #expect(error?.description.hasPrefix("samples: feature 7 of vector 3") == true)
    }

    @Test func `the extrapolation's sizes are equally spaced`() {
        #expect(FrechetExtrapolation.sizes(sampleCount: 50_000).first == 5000)
        #expect(FrechetExtrapolation.sizes(sampleCount: 50_000).last == 50_000)
        #expect(FrechetExtrapolation.sizes(sampleCount: 260).count == 15)
    }
}
