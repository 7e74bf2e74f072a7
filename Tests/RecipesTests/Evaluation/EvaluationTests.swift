import Archives
import Checkpoints
import Images
import Metrics
import TestSupport
import Tensors
import Testing

@testable import Recipes

@Suite struct EvaluationSourceTests {
    @Test func `samples made on the way do not depend on how they are asked for`() throws {
        let plan = try GenerationPlan(
            model: TinyModel.make(), recipe: try SamplingRecipe(json: "{steps: 2}", name: "recipe"),
            seeds: Array(0..<5))
        let source = try GeneratedSource(plan)
        let together = try source.images(0..<5)
        #expect(together == (try (0..<5).flatMap { try source.images($0..<$0 + 1) }))
        #expect(together.allSatisfy { $0.channels == 3 && $0.width == 8 })
        #expect(source.identity != nil)
    }

    @Test func `a report is the same for any number of threads`() throws {
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        try withTemporaryFolder { folder in
            let (samples, real) = (joinPath(folder, "samples"), joinPath(folder, "real"))
            try EvaluationBadInputTests.images(9, samples)
            try EvaluationBadInputTests.images(20, real)
            let texts = try [1, 2].map { count in
                ComputeThreads.setCount(count)
                var request = EvaluationRequest(samples: samples, against: real)
                request.metrics = ["default", "memorisation", "vendi", "fwd"]
                return try Evaluation(request).report().json.text
            }
            #expect(texts[0] == texts[1])
        }
    }

    @Test func `groups and names are joined without repeats`() throws {
        let metrics = try EvaluationMetrics(named: ["prdc", "precision", "psnr", "lsd", "psnr"])
        #expect(metrics.sets.map(\.name) == ["precision", "recall", "density", "coverage", "lsd"])
        #expect(metrics.pairs == [.psnr])
    }

    @Test func `pairs are scored in the order of names`() throws {
        try withTemporaryFolder { folder in
            try EvaluationBadInputTests.images(3, folder + "/a")
            try EvaluationBadInputTests.images(3, folder + "/b")
            var request = EvaluationRequest(samples: folder + "/a", against: folder + "/b")
            request.metrics = ["psnr", "ssim", "ssim3d", "ssim-y"]
            let report = try Evaluation(request).report()
            #expect(report["psnr"]?.value == .infinity)
            #expect(abs((report["ssim"]?.value ?? 0) - 1) < 1e-12)
            #expect(report.rows.count == 4 && report.sampleCount == 3)
        }
    }

    @Test func `mixed formats are warned of`() throws {
        try withTemporaryFolder { folder in
            try EvaluationBadInputTests.images(3, folder + "/png")
            try makeFolder(folder + "/jpeg")
            for index in 0..<4 {
                try EvaluationBadInputTests.picture(index).write(to: folder + "/jpeg/\(index).jpg")
            }
            var request = EvaluationRequest(samples: folder + "/png", against: folder + "/jpeg")
            request.metrics = ["fd-wm"]
            #expect(try Evaluation(request).report().warnings.contains { $0.contains("JPEG") })
        }
    }

    @Test func `the page holds everything it shows`() throws {
        try withTemporaryFolder { folder in
            try EvaluationBadInputTests.images(8, folder + "/samples <1>")
            try EvaluationBadInputTests.images(20, folder + "/real")
            let evaluation = try Evaluation(
                EvaluationRequest(samples: folder + "/samples <1>", against: folder + "/real"))
            let page = try evaluation.page(try evaluation.report())
            #expect(page.components(separatedBy: "data:image/png;base64,").count == 5)
            #expect(!page.contains("http") && !page.contains("samples <1>"))
            #expect(page.contains("fd-feat") && page.contains("Closest pairs"))
        }
    }
}

@Suite struct FeatureCacheTests {
    private let features = InceptionFeatures(
        count: 2, pooled: (0..<4096).map { Float($0) }, spatial: nil)

    @Test func `features come back under the same key only`() throws {
        try withTemporaryFolder { folder in
            let cache = try FeatureCache(root: folder, weights: "w", mode: .tensorFlow1, images: "i")
            try cache.store(features, first: 256)
            #expect(cache.features(first: 256, count: 2, includesSpatial: false) == features)
            #expect(cache.features(first: 0, count: 2, includesSpatial: false) == nil)
            #expect(cache.features(first: 256, count: 3, includesSpatial: false) == nil)
            #expect(cache.features(first: 256, count: 2, includesSpatial: true) == nil)
            for (weights, mode, images) in [
                ("v", InceptionMode.tensorFlow1, "i"), ("w", .clean, "i"), ("w", .tensorFlow1, "j"),
            ] {
                let other = try FeatureCache(root: folder, weights: weights, mode: mode, images: images)
                #expect(other.features(first: 256, count: 2, includesSpatial: false) == nil)
            }
        }
    }

    @Test func `a damaged file counts as absent`() throws {
        try withTemporaryFolder { folder in
            let cache = try FeatureCache(root: folder, weights: "w", mode: .clean, images: "i")
            try cache.store(features, first: 0)
            let inner = joinPath(folder, try folderContents(folder)[0])
            try AtomicFile.write("damaged", to: joinPath(inner, try folderContents(inner)[0]))
            #expect(cache.features(first: 0, count: 2, includesSpatial: false) == nil)
        }
    }

    @Test func `statistics written for later keep their protocol`() throws {
        try withTemporaryFolder { folder in
            let values = RandomStream(seed: 1).normals([40]).scalars.map(Double.init)
            let statistics = try FeatureStatistics(of: Matrix(rows: 10, columns: 4, values: values))
            let path = joinPath(folder, "s.npz")
            let measures = InceptionMeasures(mode: "clean", digest: "abc", statistics: statistics)
            try NumPyArchive.write(StatisticsFile.arrays(measures, dataDigest: "d"), to: path)
            let read = try #require(try SampleSet(path: path).statistics)
            #expect(read.knownCount == 10 && read.inception?.mode == "clean")
            #expect(read.inception?.digest == "abc" && read.inception?.statistics == statistics)
        }
    }
}
