import Autoregression
import Backbones
import Diffusion
import Layers
import Tensors
import TestSupport
import Testing
import Training

@testable import Recipes

/// The token head of a continuous next-frequency model.
@Suite struct BandTokenTests {
    private struct Setup {
        let configuration: NextFrequencyConfiguration
        let store: ParameterStore
        let model: NextFrequencyModel
        let network: BandTokenNetwork
    }

    /// Normal numbers everywhere, so that nothing is zero as in a fresh model.
    private func setup(learnSigma: Bool = false) throws -> Setup {
        let yaml = """
            {grids: [4, 8, 16], classCount: 2, learnSigma: \(learnSigma),
            head: {kind: token, features: 3, width: 8, depth: 1, masking: {low: 0.2, repeats: 2}},
            backbone: {hiddenSize: 8, depth: [1, 1, 1, 1, 1]}}
            """
        let configuration = try NextFrequencyConfiguration(json: yaml, name: "tokens")
        let store = ParameterStore(.initialized(seed: 2), isTracked: true)
        let model = try NextFrequencyModel(store.scope, configuration)
        for (name, tensor) in store.all {
            tensor.assign(RandomStream(seed: 5).stream(named: name).normals(tensor.shape) * 0.15)
        }
        return Setup(
            configuration: configuration, store: store, model: model,
            network: try #require(model.tokenNetwork))
    }

    private func predictor(_ setup: Setup, level: Int) -> BandTokenPredictor {
        let grid = setup.configuration.tokenGrid(level)
        let context =
            level == 0 ? nil : RandomStream(seed: 9).normals([2, grid.height, grid.width, 3])
        return BandTokenPredictor(
            setup.network, level: level, grid: grid, context: context, shares: [0, 0.1])
    }

    @Test(arguments: [false, true]) func `a checkpoint has the shapes that the settings tell`(
        _ learnSigma: Bool
    )
        throws
    {
        let setup = try setup(learnSigma: learnSigma)
        let told = Dictionary(
            uniqueKeysWithValues: setup.configuration.parameterShapes.map { ($0.name, $0.shape) })
        #expect(told == Dictionary(uniqueKeysWithValues: setup.store.shapes.map { ($0.name, $0.shape) }))
        let stages = setup.configuration.stages(ImageSize(16))
        #expect(stages.reduce(0) { $0 + $1.parameterCount } == setup.store.scalarCount)
        #expect(try #require(stages.last).multiplyAccumulates > 0)
    }

    @Test(arguments: [0, 1, 2]) func `tokens of cells go back where they came from`(_ level: Int) throws {
        let predictor = predictor(try setup(), level: level)
        let grid = predictor.tokenGrid
        let map = RandomStream(seed: 3).normals([2, grid.height * 2, grid.width * 2, level == 0 ? 3 : 9])
        let tokens = predictor.tokens(of: map)
        #expect(tokens.shape == [2, grid.count, predictor.tokenWidth])
        #expect(predictor.map(of: tokens).scalars == map.scalars)
    }

    @Test(arguments: [0, 2]) func `features depend on known tokens and on the label, not on hidden tokens`(
        _ level: Int
    ) throws {
        let predictor = predictor(try setup(), level: level)
        let shape: Shape = [2, predictor.tokenGrid.count, predictor.tokenWidth]
        let (x, y) = (RandomStream(seed: 1).normals(shape), RandomStream(seed: 2).normals(shape))
        func features(_ tokens: Tensor, _ visible: [[Int]], _ labels: [Int?] = [0, nil]) -> [Float] {
            predictor.features(
                of: tokens, visible: visible, condition: predictor.condition(labels: labels)
            ).scalars
        }
        #expect(features(x, [[], []]) == features(y, [[], []]))
        #expect(features(x, [[1], [0]]) != features(y, [[1], [0]]))
        let mixed = y.replacingTokens([[1], [0]], with: x.gatheringTokenRows([[1], [0]]))
        #expect(features(x, [[1], [0]]) == features(mixed, [[1], [0]]))
        #expect(features(x, [[1], [0]]) != features(x, [[], []]))
        #expect(features(x, [[], []]) != features(x, [[], []], [1, nil]))
    }

    @Test(arguments: [(0, 1), (2.0, 1), (2.0, 3)])
    func `images are drawn band by band, each by its own seed`(_ strength: Double, _ steps: Int) throws {
        let setup = try setup()
        let path = FlowPath()
        let times = [1.0, 0.5, 0]
        let method = SamplingMethod(
            solver: RungeKutta(.euler, path: path, times: times), grid: times.map { path.level(time: $0) },
            path: path, startScale: 1)
        let sampling = BandSampling(
            method, prediction: .flow, guidance: LevelGuidance(strength: strength))
        let tokenizer = setup.model.tokenizer
        func run(_ seeds: [UInt64], _ labels: [Int?]) -> [Tensor] {
            NextFrequencyRun(
                sampling.session(
                    setup.network, tokenizer: tokenizer, order: .init(steps: steps), seeds: seeds,
                    labels: labels)
            ).map(\.preview)
        }
        let previews = run([7, 8], [0, 1])
        #expect(previews.map(\.shape) == Array(repeating: [2, 16, 16, 3], count: 3))
        func distance(_ a: Tensor, _ b: Tensor) -> Float {
            zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? 0
        }
        for level in 1..<3 {
            let low = tokenizer.pyramid.down(previews[level], to: level - 1)
            let before = tokenizer.pyramid.down(previews[level - 1], to: level - 1)
            #expect(distance(low, before) < 1e-4)
        }
        #expect(distance(previews[2].samples(1..<2), run([8], [1])[2]) < 1e-4)
        #expect(distance(previews[2].samples(1..<2), run([9], [1])[2]) > 1e-2)
    }

    private func task(_ setup: Setup) -> BandTask {
        BandTask(
            TokenBandLearner(
                network: setup.network,
                objective: MaskedDiffusionObjective(
                    head: RegressionObjective.flowMatching(), ratio: MaskRatio(low: 0.2), repeats: 2), seed: 5
            ),
            tokenizer: setup.model.tokenizer, seed: 5, labelDropout: 0.5)
    }

    private func evaluation(_ task: BandTask, _ range: Range<Int>) -> BatchEvaluation {
        let images = RandomStream(seed: 1).normals([6, 16, 16, 3])
        let labels: [Int?] = [0, 1, 0, 1, 0, 1]
        return task.evaluate(
            ImageBatch(
                images: images.samples(range), labels: Array(labels[range]), indices: Array(range)),
            step: 3, first: range.lowerBound)
    }

    @Test func `a batch trains every level and every parameter, and may be split`() throws {
        let setup = try setup()
        let task = task(setup)
        let whole = evaluation(task, 0..<6)
        #expect(Set(whole.parts.keys) == ["level 1", "level 2", "level 3"])
        let halves = (evaluation(task, 0..<2).loss * 2 + evaluation(task, 2..<6).loss * 4) / 6
        #expect(abs(whole.loss - halves) < 1e-5 * abs(whole.loss))
        for (name, parameter) in setup.store.all {
            #expect(whole.gradients[parameter] != nil, "\(name)")
        }
    }

    @Test func `the loss has the gradient that small steps tell`() throws {
        let setup = try setup()
        let task = task(setup)
        let gradients = evaluation(task, 0..<3).gradients
        // All parameters moved at once, each along its gradient.
        var slope = 0.0
        let moves = setup.store.all.compactMap { entry in
            gradients[entry.tensor].map { (entry.tensor, Tensor(shape: $0.shape, scalars: $0.scalars)) }
        }
        for (_, gradient) in moves { slope += Tensor.dot(gradient, gradient) }
        let step = Float(1e-2 / slope.squareRoot())
        func loss(_ scale: Float) -> Double {
            for (parameter, gradient) in moves { parameter.assign(parameter.detached + gradient * scale) }
            defer {
                for (parameter, gradient) in moves { parameter.assign(parameter.detached - gradient * scale) }
            }
            return evaluation(task, 0..<3).loss
        }
        let measured = (loss(step) - loss(-step)) / (2 * Double(step))
        #expect(slope > 0 && abs(measured / slope - 1) < 1e-2, "\(measured) instead of \(slope)")
    }
}
