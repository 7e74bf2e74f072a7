import Checkpoints
import Foundation
import Metrics
import Tensors

// Metrics of feature sets.
extension MetricsVerification {
    static func frechetOfFeatures(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let (x, y) = (try fixture.matrix("input.features_1"), try fixture.matrix("input.features_2"))
        let statistics = (try FeatureStatistics(of: x), try FeatureStatistics(of: y))
        let value = try FrechetDistance.between(x, y)
        let fromStatistics = try FrechetDistance.between(statistics.0, statistics.1)
        // Sets that do not fill their space leave null directions, which cost digits.
        let tolerance = min(x.rows, y.rows) > x.columns ? 1e-9 : 1e-6
        let floor = 1e-9 * (value.traces.0 + value.traces.1)
        comparisons.add("fd.exact", within: tolerance, value.distance, floor: floor)
        comparisons.add("fd.factor_svd", within: tolerance, value.distance, floor: floor)
        comparisons.add("fd.factor_svd_from_sigma", within: tolerance, fromStatistics.distance, floor: floor)
        comparisons.add("mean_term", within: tolerance, value.meanTerm, floor: floor)
        comparisons.add("trace_terms", within: tolerance, [value.traces.0, value.traces.1])
        comparisons.add("trace_sqrt", within: tolerance, value.rootTrace, floor: floor)
        comparisons.add("mu_1", within: tolerance, statistics.0.mean)
        comparisons.add("mu_2", within: tolerance, statistics.1.mean)
        comparisons.add("sigma_1", within: tolerance, statistics.0.covariance.values)
        comparisons.add("sigma_2", within: tolerance, statistics.1.covariance.values)
        return comparisons
    }

    static func frechetOfStatistics(_ fixture: Fixture) throws -> MetricsComparisons {
        func statistics(_ set: Int) throws -> FeatureStatistics {
            // The number of vectors is not stored and plays no part in the distance.
            try FeatureStatistics(
                count: 2, mean: fixture.input("mu_\(set)").doubles,
                covariance: fixture.matrix("input.sigma_\(set)"), name: "\(fixture.name), set \(set)")
        }
        var comparisons = MetricsComparisons(fixture)
        let value = try FrechetDistance.between(statistics(1), statistics(2))
        for name in ["fd.exact", "fd.factor_svd_from_sigma"] {
            comparisons.add(name, within: 1e-9, value.distance)
        }
        comparisons.add("trace_sqrt", within: 1e-9, value.rootTrace)
        return comparisons
    }

    static func kernelDistances(_ fixture: Fixture) throws -> MetricsComparisons {
        typealias Tolerance = MetricsComparisons.Tolerance
        var comparisons = MetricsComparisons(fixture)
        let (x, y) = (try fixture.matrix("input.features_1"), try fixture.matrix("input.features_2"))
        if fixture.file["input.subset_1"] != nil {
            let subsets = zip(
                try fixture.integerRows("input.subset_1"), try fixture.integerRows("input.subset_2")
            )
            .map { (x: $0, y: $1) }
            let values = try KernelDistance.subsetValues(x, y, subsets: subsets)
            let (mean, deviation) = meanAndDeviation(values)
            comparisons.add("kid.mean", within: Tolerance.singlePrecisionScore, mean)
            comparisons.add("kid.std", within: Tolerance.singlePrecisionScore, deviation)
            for (name, rest) in comparisons.outputs("kid") where rest.hasSuffix("subset_values_f64") {
                guard let kernel = kernel(named: rest) else { continue }
                try comparisons.add(
                    name, within: Tolerance.score,
                    try KernelDistance.subsetValues(x, y, subsets: subsets, kernel: kernel))
            }
        }
        if fixture.file["input.cleanfid_subset_1"] != nil {
            let subsets = zip(
                try fixture.integerRows("input.cleanfid_subset_1"),
                try fixture.integerRows("input.cleanfid_subset_2")
            ).map { (x: $0, y: $1) }
            let values = try KernelDistance.subsetValues(x, y, subsets: subsets)
            comparisons.add(
                "cleanfid_kid", within: Tolerance.singlePrecisionScore, meanAndDeviation(values).mean)
        }
        let common = 0..<min(x.rows, y.rows)
        for estimator in DiscrepancyEstimator.allCases {
            try comparisons.add(
                "mmd2.\(estimator.rawValue)", within: Tolerance.score,
                try KernelDistance.squaredDiscrepancy(
                    x.selecting(rows: common), y.selecting(rows: common), estimator: estimator))
        }
        try comparisons.add(
            "mmd2.unbiased_full", within: Tolerance.score, try KernelDistance.squaredDiscrepancy(x, y))
        if fixture.file["input.cmmd_x"] != nil {
            let value = try KernelDistance.cmmd(
                fixture.matrix("input.cmmd_x"), fixture.matrix("input.cmmd_y"))
            comparisons.add("cmmd_f64", within: Tolerance.score, value)
            comparisons.add("cmmd_f32", within: 2e-4, value)
        }
        return comparisons
    }

    /// The kernel that a name such as `_poly_d2_g0.3_c0.5.subset_values_f64` or `_rbf10.subset_values_f64` spells.
    private static func kernel(named name: String) -> FeatureKernel? {
        let spelled = name.dropLast(".subset_values_f64".count)
        if spelled.isEmpty { return .polynomial() }
        if spelled.hasPrefix("_rbf") { return Double(spelled.dropFirst(4)).map { .gaussian(sigma: $0) } }
        var (degree, gamma, offset) = (3, Double?.none, 1.0)
        for part in spelled.split(separator: "_").dropFirst() {
            guard let value = Double(part.dropFirst()) else { return nil }
            switch part.first {
            case "d": degree = Int(value)
            case "g": gamma = value
            case "c": offset = value
            default: return nil
            }
        }
        return .polynomial(degree: degree, gamma: gamma, offset: offset)
    }

    static func extrapolation(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let subsets = zip(try fixture.integerRows("input.perms"), try fixture.input("sizes").integers)
            .map { Array($0.prefix($1)) }
        let value = try FrechetExtrapolation(
            generated: fixture.matrix("input.fake"), subsets: subsets,
            reference: FeatureStatistics(of: fixture.matrix("input.real"), name: "reference"))
        comparisons.add("fid_n", within: MetricsComparisons.Tolerance.score, value.distances)
        comparisons.add("fid_infinity", within: MetricsComparisons.Tolerance.score, value.intercept)
        comparisons.add("slope", within: MetricsComparisons.Tolerance.score, value.slope)
        return comparisons
    }

    static func manifolds(_ fixture: Fixture) throws -> MetricsComparisons {
        typealias Tolerance = MetricsComparisons.Tolerance
        var comparisons = MetricsComparisons(fixture)
        let (fake, real) = (try fixture.matrix("input.fake"), try fixture.matrix("input.real"))
        let orders = ["prdc.k", "prc.k", "adm.k", "radii_real.k", "radii_fake.k", "realism.k"]
            .flatMap { comparisons.outputs($0).compactMap { Int($0.rest) } }
        let largest = orders.max() ?? 1
        let samples = try Manifold(fake, largestK: largest, name: "fake")
        let reference = try Manifold(real, largestK: largest, name: "real")
        for k in Set(orders).sorted() {
            let strict = try ManifoldMetrics(samples: samples, reference: reference, k: k, strict: true)
            comparisons.add(
                "prdc.k\(k)", within: Tolerance.score,
                [strict.precision, strict.recall, strict.density, strict.coverage])
            let closed = try ManifoldMetrics(samples: samples, reference: reference, k: k)
            comparisons.add(
                "prc.k\(k)", within: Tolerance.singlePrecisionScore,
                [closed.precision, closed.recall, closed.fScore])
            comparisons.add("adm.k\(k)", within: Tolerance.score, [closed.precision, closed.recall])
            comparisons.add("radii_real.k\(k)", within: Tolerance.score, reference.radii(k))
            comparisons.add("radii_fake.k\(k)", within: Tolerance.score, samples.radii(k))
            comparisons.add("realism.k\(k)", within: Tolerance.singlePrecisionScore, closed.realism)
        }
        return comparisons
    }

    static func inceptionScores(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        let logits = try fixture.matrix("input.logits")
        func number(_ rest: String, after marker: String) -> Int? {
            rest.range(of: marker).flatMap { Int(rest[$0.upperBound...]) }
        }
        func meanAndSpread(_ logits: Matrix, splits: Int) throws -> [Double] {
            let scores = try InceptionScore.scores(
                logits: logits, splits: InceptionScore.equalSplits(logits.rows, count: splits))
            let (mean, deviation) = meanAndDeviation(scores)
            return [mean, deviation]
        }
        for (name, rest) in comparisons.outputs("") {
            if rest.hasPrefix("noshuffle."), let splits = number(rest, after: "splits") {
                try comparisons.add(name, within: 1e-6, try meanAndSpread(logits, splits: splits))
            } else if rest.hasPrefix("shuffle"), let splits = number(rest, after: ".splits"),
                let seed = UInt32(rest.dropFirst("shuffle".count).prefix { $0 != "." })
            {
                var random = NumpyRandom(seed: seed)
                let shuffled = logits.selecting(rows: random.permutation(logits.rows))
                try comparisons.add(name, within: 1e-6, try meanAndSpread(shuffled, splits: splits))
            } else if let size = number(rest, after: "adm.split_size") {
                let scores = try InceptionScore.scores(
                    logits: logits, splits: InceptionScore.blocks(logits.rows, size: size))
                comparisons.add(name, within: 1e-6, meanAndDeviation(scores).mean)
            }
        }
        return comparisons
    }

    static func memorisation(_ fixture: Fixture) throws -> MetricsComparisons {
        typealias Tolerance = MetricsComparisons.Tolerance
        var comparisons = MetricsComparisons(fixture)
        let (train, test) = (try fixture.matrix("input.train"), try fixture.matrix("input.test"))
        let generated = try fixture.matrix("input.generated")
        let depth = fixture.file["output.nn_dist"]?.shape.last ?? 1
        let nearest = try Neighbours.nearest(depth, of: generated, in: train)
        let testDistances = try Neighbours.nearest(of: test, in: train).compactMap { $0.first?.distance }
        comparisons.add("nn_dist", within: Tolerance.score, nearest.flatMap { $0.map(\.distance) })
        comparisons.add("nn_index", within: Tolerance.exact, nearest.flatMap { $0.map { Double($0.index) } })
        comparisons.add("test_nn_dist", within: Tolerance.score, testDistances)
        try comparisons.add(
            "authpct", within: Tolerance.score,
            try Memorisation.authenticity(samples: generated, training: train)
        )
        comparisons.add(
            "Zu_global", within: Tolerance.score,
            Memorisation.copyingScore(
                sampleDistances: nearest.compactMap { $0.first?.distance }, testDistances: testDistances))
        if fixture.file["input.cells_train"] != nil {
            let scores = try Memorisation.cellCopyingScore(
                samples: generated, test: test, training: train,
                cells: (
                    try fixture.input("cells_generated").integers, try fixture.input("cells_test").integers,
                    try fixture.input("cells_train").integers
                ), skippedShare: 2 / Double(test.rows))
            comparisons.add("Zu_cells", within: Tolerance.score, scores.scores)
            comparisons.add("CT", within: Tolerance.score, scores.total)
        }
        try comparisons.add("vendi_linear", within: Tolerance.score, try Diversity.vendi(generated))
        try comparisons.add("vendi_q2", within: Tolerance.score, try Diversity.vendi(generated, order: 2))
        comparisons.add("sw_approx", within: Tolerance.score, SlicedDistance.approximate(train, generated))
        if fixture.file["input.directions"] != nil {
            let common = 0..<min(train.rows, generated.rows)
            let directions = try fixture.matrix("input.directions")
            comparisons.add(
                "mind_first_n", within: Tolerance.score,
                SlicedDistance.projected(
                    train.selecting(rows: common), generated.selecting(rows: common),
                    directions: directions))
        }
        return comparisons
    }

    /// Per seed: raw words from one generator; from another the permutations in order of length, then the choices.
    static func numpyRandom(_ fixture: Fixture) throws -> MetricsComparisons {
        var comparisons = MetricsComparisons(fixture)
        for (name, rest) in comparisons.outputs("u32.") {
            guard let seed = UInt32(rest) else { continue }
            var words = NumpyRandom(seed: seed)
            let count = fixture.file["output." + name]?.elementCount ?? 0
            comparisons.add(name, within: 0, (0..<count).map { _ in Double(words.next()) })
            var random = NumpyRandom(seed: seed)
            let permutations = comparisons.outputs("permutation.\(seed).")
                .compactMap { output in Int(output.rest).map { (name: output.name, length: $0) } }
            for (name, length) in permutations.sorted(by: { $0.length < $1.length }) {
                comparisons.add(name, within: 0, random.permutation(length).map(Double.init))
            }
            for (name, rest) in comparisons.outputs("choice.\(seed).") {
                let sizes = rest.split(separator: ".").compactMap { Int($0) }
                guard sizes.count == 2 else { continue }
                comparisons.add(name, within: 0, random.choice(sizes[0], sizes[1]).map(Double.init))
            }
        }
        return comparisons
    }
}
