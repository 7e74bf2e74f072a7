import Backbones
import Layers
import Tensors
import Training

extension BenchmarkCase {
    /// The denoisers that papers quote, at their sizes: DnCNN with 17 layers of 64 channels, and NAFNet of width 32 as it is
    /// published for SIDD, forward and in training.
    static func denoisers(_ precision: ProductPrecision) -> [BenchmarkCase] {
        let dncnn = RestorationNetwork.dncnn(DnCNNConfiguration(dialect: .dncnnPyTorch))
        var cases = [
            restoration("DnCNN 17×64", dncnn, size: ImageSize(256), batch: 1, precision: precision),
            restorationStep("DnCNN 17×64", dncnn, size: ImageSize(40), batch: 16, precision: precision),
        ]
        if let nafnet = NAFNetConfiguration.presets["nafnet-sidd-32"] {
            cases += [
                restoration(
                    "NAFNet 32", .nafnet(nafnet), size: ImageSize(256), batch: 1, precision: precision),
                restorationStep(
                    "NAFNet 32", .nafnet(nafnet), size: ImageSize(128), batch: 4, precision: precision),
            ]
        }
        return cases
    }

    /// A restoration network as `denoise` runs it: normalisations and densities folded, tunable kernels mixed.
    static func restoration(
        _ name: String, _ network: RestorationNetwork, size: ImageSize, batch: Int,
        precision: ProductPrecision = .float32
    ) -> BenchmarkCase {
        BenchmarkCase(
            name: "\(name) denoising \(size), batch \(batch)", imageCount: batch,
            multiplyAccumulates: Double(batch * network.multiplyAccumulates(size))
        ) {
            let store = ParameterStore(.initialized(seed: 1), isTracked: false)
            _ = network.makeRestorer(store.scope)
            let weights = (store.all + store.buffers).map { ($0.name, $0.tensor) }
            let count = network.kernel.tuningCount
            let restorer = try network.makeInferenceRestorer(
                Dictionary(weights) { first, _ in first },
                tuning: count > 0 ? Array(repeating: 1 / Float(count), count: count) : nil,
                precision: precision)
            let images = network.images(size, batch)
            let condition = RestorationCondition(sigma: 25, imageCount: batch)
            return { _ = restorer.restore(images, condition) }
        }
    }

    /// A whole training step of a denoiser: noise, forward, backward, Adam. The backward pass counts twice the
    /// forward's operations.
    static func restorationStep(
        _ name: String, _ network: RestorationNetwork, size: ImageSize, batch: Int,
        _ objective: RestorationObjectiveSettings = .gaussian25, precision: ProductPrecision = .float32
    ) -> BenchmarkCase {
        BenchmarkCase(
            name: "\(name) training step \(size), batch \(batch)", imageCount: batch,
            multiplyAccumulates: 3 * Double(batch * network.multiplyAccumulates(size))
        ) {
            let store = ParameterStore(.initialized(seed: 1), isTracked: true, precision: precision)
            let restorer = network.makeRestorer(store.scope)
            let trainer = Trainer(store, settings: OptimizerSettings(), totalSteps: 1_000_000)
            let task = RestorationTask(restorer: restorer, objective: objective, seed: 1)
            // Pairs bring their own noise; here a clean image stands for it.
            let data = RestorationBatches.Batch(clean: network.images(size, batch), noisy: nil)
            return {
                _ = try trainer.step { _ in
                    (task.evaluate(data, step: trainer.stepCount + 1, first: 0), batch)
                }
            }
        }
    }
}

extension RestorationObjectiveSettings {
    /// DnCNN's: Gaussian noise of σ 25, half the sum of squares.
    fileprivate static var gaussian25: RestorationObjectiveSettings {
        var objective = RestorationObjectiveSettings()
        (objective.noise, objective.loss) = (.gaussian(.defaults), .halfSquaredSum)
        return objective
    }
}

extension RestorationNetwork {
    /// Multiply–accumulates of convolutions and linear layers for one image.
    public func multiplyAccumulates(_ size: ImageSize) -> Int {
        stageCosts(height: size.height, width: size.width).reduce(0) { $0 + $1.multiplyAccumulates }
    }

    fileprivate func images(_ size: ImageSize, _ count: Int) -> Tensor {
        RandomStream(seed: 5).uniforms([count, size.height, size.width, imageChannels])
    }
}
