import Foundation
import Metrics
import Tensors
import Testing

@Suite struct SetMetricsTests {
    @Test func `a set's manifold holds the set`() throws {
        let set = try Manifold(normalFeatures(80, 5), largestK: 5)
        let metrics = try ManifoldMetrics(samples: set, reference: set, k: 3)
        #expect(metrics.precision == 1 && metrics.recall == 1 && metrics.coverage == 1)
    }

    @Test func `duplicates lie on the surface of balls without extent`() throws {
        let same = try Manifold(
            Matrix(rows: 9, columns: 2, values: [Double](repeating: 1, count: 18)), largestK: 3)
        #expect(try ManifoldMetrics(samples: same, reference: same, k: 3).precision == 1)
        #expect(try ManifoldMetrics(samples: same, reference: same, k: 3, strict: true).precision == 0)
    }

    @Test func `nearest neighbours are exact where products lose their digits`() throws {
        // Points 1e-5 apart, 1e4 from the origin: their products agree in all but the last digits.
        let reference = Matrix(rows: 50, columns: 1, values: (0..<50).map { 1e4 + Double($0) * 1e-5 })
        let queries = Matrix(rows: 49, columns: 1, values: (0..<49).map { 1e4 + (Double($0) + 0.7) * 1e-5 })
        let nearest = try Neighbours.nearest(of: queries, in: reference)
        #expect(nearest.map { $0[0].index } == Array(1...49))
    }

    @Test func `neighbours do not depend on the thread count`() throws {
        let (a, b) = (normalFeatures(700, 8), normalFeatures(3000, 8, seed: 2))
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        ComputeThreads.setCount(1)
        let one = try Neighbours.nearest(3, of: a, in: b)
        ComputeThreads.setCount(2)
        let two = try Neighbours.nearest(3, of: a, in: b)
        #expect(one.map { $0.map(\.index) } == two.map { $0.map(\.index) })
        #expect(one.map { $0.map(\.distance) } == two.map { $0.map(\.distance) })
    }

    @Test func `too few points are an error that says how many are needed`() {
        let error = #expect(throws: MetricError.self) {
            try Manifold(normalFeatures(4, 2), largestK: 3, name: "samples")
        }
        #expect(error?.description == "samples: 4 vectors, neighbours of order 3 need at least 5.")
    }

    @Test func `the kernel distance falls to zero for equal distributions and grows with a shift`() throws {
        let reference = normalFeatures(1500, 6)
        let near = try KernelDistance.squaredDiscrepancy(normalFeatures(1500, 6, seed: 2), reference)
        let far = try KernelDistance.squaredDiscrepancy(normalFeatures(1500, 6, seed: 2, shift: 1), reference)
        #expect(abs(near) < 0.02 && far > 1)
        #expect(try abs(KernelDistance.squaredDiscrepancy(reference, reference, estimator: .biased)) < 1e-10)
    }

    @Test func `copies are found and fresh data is not accused`() throws {
        let training = normalFeatures(300, 4)
        #expect(try Memorisation.authenticity(samples: training, training: training) == 0)
        let fresh = try Memorisation.authenticity(
            samples: normalFeatures(300, 4, seed: 2), training: training)
        #expect(fresh > 30 && fresh < 70)
    }

    @Test func `uniform logits score one, certain and balanced ones the number of classes`() throws {
        let uniform = Matrix(zeros: 20, 5)
        #expect(try abs(InceptionScore.scores(logits: uniform, splits: [0..<20])[0] - 1) < 1e-12)
        var certain = Matrix(zeros: 20, 5)
        for i in 0..<20 { certain[i, i % 5] = 1000 }
        #expect(try abs(InceptionScore.scores(logits: certain, splits: [0..<20])[0] - 5) < 1e-9)
        #expect(throws: MetricError.self) {
            try InceptionScore.scores(logits: uniform, splits: InceptionScore.equalSplits(20, count: 30))
        }
    }

    @Test func `the Vendi score counts different vectors`() throws {
        var four = Matrix(zeros: 12, 4)
        for i in 0..<12 { four[i, i % 4] = 3 }
        #expect(try abs(Diversity.vendi(four) - 4) < 1e-9)
        #expect(try abs(Diversity.vendi(four, order: 2) - 4) < 1e-9)
    }
}
