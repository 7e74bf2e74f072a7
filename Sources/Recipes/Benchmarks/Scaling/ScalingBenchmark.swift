import Backbones
import Layers
import Tensors

/// Measures how time grows with batch, resolution, threads and tokens. One run takes a few minutes.
public struct ScalingBenchmark {
    /// A job at one size.
    private struct Measurement {
        var name: String
        var axis: ScalingAxis
        var order = 1.0
        var sizes: [Int]
        var make: (Int) throws -> BenchmarkCase?
    }

    private let measurements: [Measurement]

    /// - Parameters:
    ///   - axes: those to measure; empty for all.
    ///   - recipe: a sampling recipe whose model is measured, as it is trained and sampled.
    ///   - largest: sizes above this are left out (threads are never above what the process uses).
    /// - Throws: errors of reading the recipe and its checkpoint.
    public init(axes: [ScalingAxis] = [], recipe: String, largest: Int = .max) throws {
        guard let path = try SamplingRecipe(recipeFile: recipe, overrides: []).checkpoint else {
            throw BenchmarkError("\(recipe): names no checkpoint to measure")
        }
        let checkpoint = try LoadedModel(path: path).configuration
        let measurements =
            Self.batches(checkpoint) + Self.resolutions(checkpoint) + Self.threads(checkpoint) + Self.tokens
        self.measurements = measurements.filter { axes.isEmpty || axes.contains($0.axis) }.map { whole in
            var part = whole
            part.sizes = whole.sizes.filter { $0 <= largest }
            return part
        }
    }

    /// - Parameter status: told what is being timed.
    /// - Throws: errors of making the networks.
    public func run(status: (String) -> Void) throws -> ScalingResults {
        let threads = ComputeThreads.count
        defer { ComputeThreads.setCount(threads) }
        var results = ScalingResults(threads: threads, series: [])
        for measurement in measurements {
            var series = ScalingSeries(
                name: measurement.name, axis: measurement.axis, order: measurement.order, points: [])
            for size in measurement.sizes {
                status("\(measurement.name), \(measurement.axis.rawValue) \(size)")
                if measurement.axis == .threads { ComputeThreads.setCount(size) }
                guard let benchmark = try measurement.make(size) else { continue }
                let work = try benchmark.prepare()
                let seconds = Timing.median(try Timing.measure(seconds: 0.4, work))
                series.points.append(
                    .init(size: size, milliseconds: 1000 * seconds, imageCount: benchmark.imageCount))
                StorageCache.shared.trim()
            }
            ComputeThreads.setCount(threads)
            if !series.points.isEmpty { results.series.append(series) }
        }
        return results
    }

    private static func doublings(_ range: ClosedRange<Int>) -> [Int] {
        Array(sequence(first: range.lowerBound) { $0 * 2 <= range.upperBound ? $0 * 2 : nil })
    }

    private static func batches(_ checkpoint: CheckpointConfiguration) -> [Measurement] {
        let (model, size, sizes) = (checkpoint.model, checkpoint.size, doublings(1...64))
        let name = model.name
        return [
            Measurement(name: "\(name), one call of the sampler", axis: .batch, sizes: sizes) {
                .forward(name, model, size: size, batch: $0, rowwise: true)
            },
            Measurement(name: "\(name) forward, whole batch", axis: .batch, sizes: sizes) {
                .forward(name, model, size: size, batch: $0)
            },
            Measurement(name: "\(name) training step", axis: .batch, sizes: sizes) {
                var configuration = TrainingConfiguration(model: model, data: .defaults)
                configuration.objective = checkpoint.objective
                (configuration.data.size, configuration.batchSize) = (size, $0)
                return .trainingStep(name, configuration)
            },
        ]
    }

    private static func resolutions(_ checkpoint: CheckpointConfiguration) -> [Measurement] {
        let (model, sizes) = (checkpoint.model, doublings(16...512))
        let dncnn = RestorationNetwork.dncnn(DnCNNConfiguration(dialect: .dncnnPyTorch))
        var result = [
            Measurement(name: "\(model.name) forward", axis: .resolution, sizes: sizes) {
                .forward(model.name, model, size: ImageSize($0), batch: 1)
            },
            Measurement(name: "DnCNN 17×64 denoising", axis: .resolution, sizes: sizes) {
                .restoration("DnCNN", dncnn, size: ImageSize($0), batch: 1)
            },
        ]
        if let nafnet = NAFNetConfiguration.presets["nafnet-sidd-32"] {
            result.append(
                Measurement(name: "NAFNet 32 denoising", axis: .resolution, sizes: sizes) {
                    .restoration("NAFNet", .nafnet(nafnet), size: ImageSize($0), batch: 1)
                })
        }
        return result
    }

    private static func threads(_ checkpoint: CheckpointConfiguration) -> [Measurement] {
        let counts = Array(1...max(1, ComputeThreads.count))
        let (model, size) = (checkpoint.model, checkpoint.size)
        var training = TrainingConfiguration(model: model, data: .defaults)
        (training.objective, training.data.size, training.batchSize) = (checkpoint.objective, size, 64)
        let dncnn = RestorationNetwork.dncnn(DnCNNConfiguration(dialect: .dncnnPyTorch))
        return [
            Measurement(
                name: "\(model.name), one call of the sampler, 32 images", axis: .threads, sizes: counts
            ) {
                _ in .forward(model.name, model, size: size, batch: 32, rowwise: true)
            },
            Measurement(name: "\(model.name) training step, 64 images", axis: .threads, sizes: counts) { _ in
                .trainingStep(model.name, training)
            },
            Measurement(name: "DnCNN 17×64 denoising 256×256", axis: .threads, sizes: counts) { _ in
                .restoration("DnCNN", dncnn, size: ImageSize(256), batch: 1)
            },
        ]
    }

    /// Grids of one or two squares, forward.
    private static var tokens: [Measurement] {
        func grid(_ count: Int) -> TokenGrid {
            var height = 1
            while height * height * 4 <= count { height *= 2 }
            return TokenGrid(height, count / height)
        }
        return [
            Measurement(
                name: "linear attention, width 768", axis: .tokens, sizes: doublings(256...16_384)
            ) { .linearAttention(grid($0), isTraining: false) },
            Measurement(
                name: "softmax attention, width 768", axis: .tokens, order: 2, sizes: doublings(256...4096)
            ) { .softmaxAttention(grid($0), isTraining: false) },
        ]
    }
}
