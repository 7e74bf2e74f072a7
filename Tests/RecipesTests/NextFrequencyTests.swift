import Autoregression
import Backbones
import Checkpoints
import Diffusion
import Layers
import Tensors
import TestSupport
import Testing
import Training

@testable import Recipes

@Suite struct NextFrequencyTests {
    @Test func `the autoencoder with its quantiser has the released checkpoint's names and shapes`() throws {
        let text = String(
            decoding: try bytes(of: TestData.fixture("nfig/keys_vae_ch160v4096z32.json")), as: UTF8.self)
        let document = try JSONValue(parsing: text)
        let released = try #require(document["tensors"]?.array).reduce(into: [String: [Int]]()) {
            if let name = $1[0]?.string, let shape = $1[1]?.integers { $0[name] = shape }
        }
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = VQVAE(store.scope, VQVAEConfiguration())
        _ = try MultiScaleQuantizer(store.scope / "quantize", QuantizerConfiguration())
        let names = store.shapes.reduce(into: [String: [Int]]()) { $0[$1.name] = $1.shape.extents }
        #expect(Set(names.keys).symmetricDifference(released.keys).sorted() == [])
        for (name, shape) in released { #expect(names[name] == shape, "\(name)") }
        #expect(store.scalarCount == document["parameters"]?.integer)
    }

    private static let grids = [Grid(4), Grid(8), Grid(16)]

    private func tokenizer() throws -> OctaveTokenizer {
        var measurement = try OctaveTokenizer.Measurement(grids: Self.grids, channels: 3)
        measurement.add(RandomStream(seed: 1).normals([4, 16, 16, 3]))
        return try OctaveTokenizer(grids: Self.grids, channels: 3, normalization: measurement.normalization)
    }

    private func sampling(_ guidance: LevelGuidance) -> BandSampling {
        let path = FlowPath()
        let times = [1.0, 0.75, 0.5, 0.25, 0]
        let method = SamplingMethod(
            solver: RungeKutta(.euler, path: path, times: times), grid: times.map { path.level(time: $0) },
            path: path, startScale: 1)
        return BandSampling(method, prediction: .flow, guidance: guidance)
    }

    @Test(arguments: [0, 2.0]) func `a diffusion backbone draws images band by band, each by its own seed`(
        _ strength: Double
    ) throws {
        let tokenizer = try tokenizer()
        let seat = BandSeat(levelCount: 3, channels: 3, classCount: 2)
        let store = ParameterStore(.initialized(seed: 2), isTracked: false)
        let network = DiCo(
            store.scope,
            DiCoConfiguration(
                inputChannels: seat.inputChannels, hiddenSize: 8, depth: [1, 1, 1, 1, 1],
                classCount: seat.labelCount, classDropout: 0, learnSigma: false))
        for (name, tensor) in store.all where name.contains("final") || name.contains("adaLN") {
            tensor.assign(RandomStream(seed: 5).stream(named: name).normals(tensor.shape) * 0.1)
        }
        let wide = FirstChannels(network: network, count: seat.outputChannels)
        let sampling = sampling(LevelGuidance(strength: strength))
        func run(_ seeds: [UInt64], _ labels: [Int?]) throws -> [Tensor] {
            let session = sampling.session(
                wide, seat: seat, tokenizer: tokenizer, seeds: seeds, labels: labels)
            return NextFrequencyRun(session).map(\.preview)
        }
        let previews = try run([7, 8], [0, 1])
        #expect(previews.map(\.shape) == Array(repeating: [2, 16, 16, 3], count: 3))
        for level in 1..<3 {
            let low = tokenizer.pyramid.down(previews[level], to: level - 1)
            let before = tokenizer.pyramid.down(previews[level - 1], to: level - 1)
            #expect(zip(low.scalars, before.scalars).allSatisfy { abs($0 - $1) < 1e-4 })
        }
        let alone = try run([8], [1])
        #expect(zip(previews[2].samples(1..<2).scalars, alone[2].scalars).allSatisfy { abs($0 - $1) < 1e-4 })
    }
}

/// A network whose last channels nobody asked for.
private struct FirstChannels: Denoiser {
    let network: any Denoiser
    let count: Int

    func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        network.predict(noisy, time: time, labels: labels).channels(0..<count)
    }
}

@Suite struct NextFrequencyTrainingTests {
    private static let small = FRVAEConfiguration(
        codec: VQVAEConfiguration(width: 32, multipliers: [1, 1], residualBlocks: 1, latentChannels: 4),
        quantizer: QuantizerConfiguration(
            vocabulary: 16, channels: 4,
            pyramid: PyramidConfiguration(grids: [Grid(1), Grid(2), Grid(4)], sizing: .spectral)))

    @Test func `an autoencoder learns by all of its losses`() throws {
        let store = ParameterStore(.initialized(seed: 1), isTracked: true)
        let model = try FRVAE(store.scope, Self.small)
        let judge = ParameterStore(.initialized(seed: 2), isTracked: true)
        let discriminator = PatchDiscriminator(judge.scope, width: 8, layers: 1)
        #expect(model.imageSize == Grid(8))
        let images = RandomStream(seed: 3).normals([2, 8, 8, 3]) * 0.5
        var loss = FRVAELoss()
        loss.perceptual = { ($0 - $1).squared.mean() }
        let value = loss(model, images, discriminator: discriminator)
        #expect(Set(value.parts.keys) == ["pixel", "code", "adversarial", "perceptual"])
        #expect(value.indices.map(\.count) == [2, 8, 32])
        let gradients = value.total.gradients()
        for (name, parameter) in store.all where !name.contains("quant_resi") {
            #expect(gradients[parameter] != nil, "\(name)")
        }
        let score = PatchDiscriminator.hingeLoss(real: discriminator(images), made: discriminator(value.made))
        let slopes = score.gradients()
        for (name, parameter) in judge.all { #expect(slopes[parameter] != nil, "\(name)") }
        #expect(model.reconstruct(images).scalars.allSatisfy { abs($0) <= 1 })
    }

    @Test func `what does not fit is said`() throws {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let model = try FRVAE(store.scope, Self.small)
        try model.requireFits(height: 8, width: 8)
        let error = #expect(throws: PyramidMismatch.self) { try model.requireFits(height: 16, width: 8) }
        #expect(error?.description.contains("8×4") == true)
        var wrong = Self.small
        wrong.quantizer.channels = 5
        #expect(throws: ConfigurationError.self) { try wrong.validate() }
    }

    @Test func `a batch trains every level, and may be split`() throws {
        let grids = [Grid(4), Grid(8)]
        var measurement = try OctaveTokenizer.Measurement(grids: grids, channels: 3)
        let images = RandomStream(seed: 1).normals([6, 8, 8, 3])
        measurement.add(images)
        let tokenizer = try OctaveTokenizer(
            grids: grids, channels: 3, normalization: measurement.normalization)
        let seat = BandSeat(levelCount: 2, channels: 3, classCount: 2)
        let store = ParameterStore(.initialized(seed: 2), isTracked: true)
        let network = DiCo(
            store.scope,
            DiCoConfiguration(
                inputChannels: seat.inputChannels, hiddenSize: 8, depth: [1, 0, 0, 0, 1],
                classCount: seat.labelCount, classDropout: 0, learnSigma: false))
        let task = BandTask(
            network: FirstChannels(network: network, count: seat.outputChannels),
            objective: RegressionObjective.flowMatching(), tokenizer: tokenizer, seat: seat, seed: 5,
            labelDropout: 0.5)
        let labels: [Int?] = [0, 1, 0, 1, 0, 1]
        func part(_ range: Range<Int>) -> BatchEvaluation {
            task.evaluate(
                ImageBatch(
                    images: images.samples(range), labels: Array(labels[range]), indices: Array(range)),
                step: 3, first: range.lowerBound)
        }
        let whole = part(0..<6)
        #expect(Set(whole.parts.keys) == ["level 1", "level 2"])
        let halves = (part(0..<2).loss * 2 + part(2..<6).loss * 4) / 6
        #expect(abs(whole.loss - halves) < 1e-5)
        let parameter = try #require(store["final_layer.linear.weight"] ?? store.all.last?.tensor)
        #expect(whole.gradients[parameter] != nil)
    }
}
