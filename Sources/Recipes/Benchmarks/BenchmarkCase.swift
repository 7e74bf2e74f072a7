import Archives
import Layers
import Tensors
import Training

/// Something to time: the work of one run, and what it amounts to.
struct BenchmarkCase {
    var name: String
    /// Images that one run handles.
    var imageCount: Int
    /// Multiply–accumulates of convolutions and linear layers in one run; operations are twice as many.
    var multiplyAccumulates: Double
    /// Makes the model and its input, and returns the work.
    var prepare: () throws -> () throws -> Void
}

extension BenchmarkCase {
    /// What is timed where nothing else is asked for: the networks whose targets are known.
    static func standard(_ precision: ProductPrecision) -> [BenchmarkCase?] {
        var cases: [BenchmarkCase?] = []
        if let model = DiCoPreset.small.configuration.map(ModelSettings.dico) {
            var configuration = TrainingConfiguration(model: model, data: .defaults)
            (configuration.objective, configuration.batchSize) = (.ddpm(.defaults), 8)
            configuration.precision = precision
            for isRowwise in [false, true] {
                cases.append(
                    .forward(
                        "DiCo-S 4×32×32", model, size: configuration.data.size, batch: 16, rowwise: isRowwise,
                        precision: precision))
            }
            cases.append(.trainingStep("DiCo-S 4×32×32", configuration))
        }
        return cases + denoisers(precision) + comparedAttention(precision) + [inception(batch: 8)]
    }

    /// The model of a sampling recipe: its network, and images from noise.
    static func shipped(_ recipe: String, _ precision: ProductPrecision) throws -> [BenchmarkCase?] {
        let settings = try SamplingRecipe(recipeFile: recipe, overrides: [])
        guard let path = settings.checkpoint else { return [] }
        let model = try LoadedModel(path: path, precision: precision)
        let plan = try GenerationPlan(model: model, recipe: settings, seeds: (0..<16).map { UInt64($0) })
        let name = splitPath(path).name
        var configuration = TrainingConfiguration(model: model.configuration.model, data: .defaults)
        (configuration.objective, configuration.batchSize) = (model.configuration.objective, 64)
        configuration.precision = precision
        return [
            .forward(
                name, model.configuration.model, size: model.configuration.size, batch: 32, rowwise: true,
                precision: precision), .trainingStep(name, configuration), .sampling(name, plan),
        ]
    }

    /// The network alone: the whole batch at once with every operation divided between the threads, or as sampling
    /// runs it, each row on one thread, which keeps a row's bytes independent of its neighbours.
    static func forward(
        _ name: String, _ model: ModelSettings, size: ImageSize, batch: Int, rowwise: Bool = false,
        precision: ProductPrecision = .float32
    ) -> BenchmarkCase? {
        guard model.isDenoiser else { return nil }
        return BenchmarkCase(
            name: "\(name) forward, batch \(batch)\(rowwise ? ", row by row" : "")", imageCount: batch,
            multiplyAccumulates: Double(batch * model.multiplyAccumulates(size))
        ) {
            let parameters = ParameterStore(
                .initialized(seed: 1), isTracked: false, precision: precision)
            guard let whole = (model.makeModel(parameters.scope) as? DiffusionModel)?.network else {
                preconditionFailure("\(model.name) is no denoiser")
            }
            let (images, time, labels) = batchInput(model, size, batch, isOneTime: rowwise)
            let rows = RowwiseDenoiser(whole)
            let network: any Denoiser = rowwise ? rows : whole
            return {
                // A sampler's next call is for another time.
                rows.forgetConditions()
                _ = network.predict(images, time: time, labels: labels)
            }
        }
    }

    /// A whole training step: forward, backward, AdamW with the average of the weights. The backward pass counts
    /// twice the forward's operations, as everywhere. Models that train on a part of an image at a time (a band, masked
    /// tokens) have no count.
    static func trainingStep(_ name: String, _ configuration: TrainingConfiguration) -> BenchmarkCase {
        let (model, size, batch) = (configuration.model, configuration.data.size, configuration.batchSize)
        return BenchmarkCase(
            name: "\(name) training step, batch \(batch)", imageCount: batch,
            multiplyAccumulates: model.isDenoiser ? 3 * Double(batch * model.multiplyAccumulates(size)) : 0
        ) {
            let store = ParameterStore(
                .initialized(seed: 1), isTracked: true, precision: configuration.precision,
                recomputesActivations: configuration.recomputation)
            let task = try model.makeModel(store.scope).trainingTask(configuration)
            let trainer = Trainer(store, settings: OptimizerSettings(), totalSteps: 1_000_000)
            let (images, _, labels) = batchInput(model, size, batch)
            let data = ImageBatch(images: images, labels: labels, indices: Array(0..<batch))
            return {
                _ = try trainer.step { _ in
                    (task.evaluate(data, step: trainer.stepCount + 1, first: 0), batch)
                }
            }
        }
    }

    /// Images from noise: what `generate` does, without writing files.
    static func sampling(_ name: String, _ plan: GenerationPlan) -> BenchmarkCase {
        // How often the network is asked is the solver's business, so there is no share of a peak.
        BenchmarkCase(
            name: "\(name) sampling, \(plan.items.count) images", imageCount: plan.items.count,
            multiplyAccumulates: 0
        ) {
            let generator = Generator(plan)
            return { generator.run { _ in true } }
        }
    }

    private static func batchInput(
        _ model: ModelSettings, _ size: ImageSize, _ batch: Int, isOneTime: Bool = false
    ) -> (images: Tensor, time: [Float], labels: [Int?]) {
        let images = RandomStream(seed: 5).normals([batch, size.height, size.width, model.inputChannels])
        let time = (0..<batch).map { isOneTime ? 500 : Float($0 * 997 % 1000) }
        let labels = (0..<batch).map { model.classCount > 0 ? $0 % model.classCount : nil }
        return (images, time, labels)
    }
}
