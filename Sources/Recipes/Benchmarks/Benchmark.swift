import Archives
import Checkpoints
import Foundation
import Tensors

/// Times the machine and the models on it.
///
/// Every case stands beside the machine's own matrix-product rate, measured right before and right after it, because
/// the absolute speed of a shared machine drifts.
public struct Benchmark {
    /// Names of cases that are timed only when asked for.
    public static let groups = BenchmarkCase.Group.allCases.map(\.rawValue)

    private let cases: [BenchmarkCase]
    private let precision: ProductPrecision

    /// - Parameters:
    ///   - configs: files of `configs/`, and names of groups of cases; empty for the project's standard cases.
    ///   - recipe: a sampling recipe whose checkpoint is timed as well, when it exists.
    ///   - precision: of the products of networks, and of the peak they are compared with.
    /// - Throws: errors of reading them.
    public init(configs: [String], recipe: String? = nil, precision: ProductPrecision = .float32) throws {
        self.precision = precision
        var cases: [BenchmarkCase?] = configs.isEmpty ? BenchmarkCase.standard(precision) : []
        for path in configs {
            if let group = BenchmarkCase.Group(rawValue: path) {
                cases += group.cases
                continue
            }
            let name = splitPath(path).name
            let node = try SettingsNode(yamlFile: path)
            if RestorationConfiguration.describes(node) {
                let denoiser = try RestorationConfiguration(node)
                let (network, size) = (denoiser.model.network, denoiser.data.size)
                cases.append(
                    .restoration(name, network, size: ImageSize(256), batch: 1, precision: precision))
                cases.append(
                    .restorationStep(
                        name, network, size: size, batch: denoiser.batchSize, denoiser.objective,
                        precision: precision))
                continue
            }
            var configuration = try TrainingConfiguration(node)
            configuration.precision = precision
            cases.append(
                .forward(
                    name, configuration.model, size: configuration.data.size, batch: 16, precision: precision)
            )
            cases.append(.trainingStep(name, configuration))
        }
        if let recipe, fileExists(recipe) { cases += try BenchmarkCase.shipped(recipe, precision) }
        self.cases = cases.compactMap({ $0 })
    }

    /// - Parameter status: told what is being timed.
    public func run(status: (String) -> Void) throws -> BenchmarkResults {
        status("matrix product")
        var results = BenchmarkResults(threads: ComputeThreads.count, precision: precision)
        for precision in ProductPrecision.allCases where precision.isAvailable {
            results.products[precision.rawValue] = MachineLimits.matrixProduct(seconds: 1, precision)
        }
        results.products[BenchmarkResults.integers] = MachineLimits.integerProduct(seconds: 1)
        results.copyBandwidth = MachineLimits.copyBandwidth()
        for benchmark in cases {
            status(benchmark.name)
            let work = try benchmark.prepare()
            StorageCache.shared.trim()
            StorageCache.shared.resetPeak()
            let before = MachineLimits.matrixProduct(precision)
            var requests = 0
            let times = try Timing.measure {
                let before = StorageCache.shared.requestCount
                try work()
                requests = StorageCache.shared.requestCount - before
            }
            let seconds = Timing.median(times)
            let after = MachineLimits.matrixProduct(precision)
            results.rows.append(
                BenchmarkResults.Row(
                    name: benchmark.name, milliseconds: 1000 * seconds,
                    imagesPerSecond: Double(benchmark.imageCount) / seconds,
                    gigaflops: 2 * benchmark.multiplyAccumulates / seconds / 1e9, peak: (before + after) / 2,
                    megabytes: Double(StorageCache.shared.statistics.peak) / 1e6, requests: requests))
        }
        return results
    }
}

/// What a run of the benchmark found.
public struct BenchmarkResults: Sendable {
    /// One timed case.
    public struct Row: Sendable {
        public var name: String
        /// Median time of one run.
        public var milliseconds: Double
        public var imagesPerSecond: Double
        /// Operations of convolutions and linear layers; norms, activations and optimiser are work without credit.
        /// 0 where they are not counted.
        public var gigaflops: Double
        /// The matrix-product rate around this case.
        public var peak: Double
        /// Most tensor memory in use at once.
        public var megabytes: Double
        /// Blocks of tensor memory that the last run asked of the system: 0 where earlier ones left all that it needs.
        public var requests: Int

        public init(
            name: String, milliseconds: Double, imagesPerSecond: Double, gigaflops: Double, peak: Double,
            megabytes: Double, requests: Int = 0
        ) {
            (self.name, self.milliseconds, self.imagesPerSecond) = (name, milliseconds, imagesPerSecond)
            (self.gigaflops, self.peak, self.megabytes) = (gigaflops, peak, megabytes)
            self.requests = requests
        }

        public var share: Double { gigaflops / peak }
    }

    public var threads: Int
    public var precision: ProductPrecision
    /// GFLOP/s of a large matrix product, by the precision of its factors; `integers` among them.
    public var products: [String: Double] = [:]
    public var copyBandwidth = 0.0
    public var rows: [Row] = []

    /// The name of 8-bit integers among `products`.
    public static let integers = "int8"

    public init(threads: Int, precision: ProductPrecision = .float32) {
        (self.threads, self.precision) = (threads, precision)
    }

    public var text: String {
        var table = TextTable([
            "case, \(threads) threads, \(precision.rawValue)", "ms", "images/s", "GFLOP/s", "of peak", "MB",
        ])
        for (name, rate) in products.sorted(by: { $0.value < $1.value }) {
            let isOwn = name == precision.rawValue
            table.add([
                "matrix product, \(name)", "", "", TextTable.fixed(rate, digits: 1), isOwn ? "100 %" : "",
            ])
        }
        for row in rows {
            let isCounted = row.gigaflops > 0
            table.add([
                row.name, TextTable.fixed(row.milliseconds, digits: 1),
                TextTable.fixed(row.imagesPerSecond, digits: 1),
                isCounted ? TextTable.fixed(row.gigaflops, digits: 1) : "",
                isCounted ? TextTable.fixed(100 * row.share, digits: 1) + " %" : "",
                TextTable.fixed(row.megabytes, digits: 0),
            ])
        }
        return table.text
            + "\ncopying memory: \(TextTable.fixed(copyBandwidth, digits: 1)) GB/s, reads and writes\n"
            + requestsText
    }

    private var requestsText: String {
        let asking = rows.filter { $0.requests > 0 }.map { "\($0.name) (\($0.requests))" }
        return asking.isEmpty
            ? "no case asked the system for memory in its last run"
            : "blocks asked of the system in the last run: " + asking.joined(separator: ", ")
    }

    public var json: JSONValue {
        [
            "threads": .integer(threads), "precision": .string(precision.rawValue),
            "matrixProductGigaflops": .number(products[precision.rawValue] ?? 0),
            "matrixProducts": .object(products.mapValues { .number($0) }),
            "copyGigabytesPerSecond": .number(copyBandwidth),
            "cases": .array(
                rows.map {
                    [
                        "name": .string($0.name), "milliseconds": .number($0.milliseconds),
                        "imagesPerSecond": .number($0.imagesPerSecond), "gigaflops": .number($0.gigaflops),
                        "peakGigaflops": .number($0.peak), "shareOfPeak": .number($0.share),
                        "megabytes": .number($0.megabytes), "systemRequests": .integer($0.requests),
                    ]
                }),
        ]
    }
}
