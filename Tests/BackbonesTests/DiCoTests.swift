import Backbones
import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct DiCoTests {
    @Test(arguments: [
        ("dico-s", 33_137_672, 323), ("dico-b", 129_992_712, 323), ("dico-l", 463_897_992, 631),
        ("dico-xl", 701_151_368, 673), ("dico-h", 1_037_408_328, 897),
    ])
    func `has the published number of parameters`(_ preset: String, _ scalars: Int, _ tensors: Int) throws {
        let configuration = try #require(DiCoConfiguration.presets[preset])
        #expect(configuration.parameterCount == scalars)
        #expect(configuration.parameterShapes.count == tensors)
    }

    @Test(arguments: [DiCoMixer.convolution, .linearAttention], [nil, 1] as [Int?])
    func `given what it makes of a condition it predicts the same bytes`(_ mixer: DiCoMixer, _ label: Int?) {
        var configuration = DiCoConfiguration(
            inputChannels: 3, hiddenSize: 16, depth: [1, 2, 1, 0, 1], classCount: 2, patchSize: 2)
        (configuration.mixer, configuration.mixerHeadSize) = (mixer, 8)
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let network = DiCo(store.scope, configuration)
        for (name, tensor) in store.all {
            tensor.assign(RandomStream(seed: 2).stream(named: name).normals(tensor.shape) * 0.2)
        }
        let conditioning = network.conditioning(time: [421], labels: [label])
        for seed in 3...4 {
            let x = RandomStream(seed: UInt64(seed)).normals([1, 16, 8, 3])
            let whole = network.predict(x, time: [421], labels: [label])
            #expect(network.predict(x, conditioning: conditioning).scalars == whole.scalars)
            #expect(network.predict(x, time: [20], labels: [label]).scalars != whole.scalars)
        }
    }

    @Test(
        .enabled(if: ParityCase.exist("dico", prefix: "block_")),
        arguments: ParityCase.all("dico", prefix: "block_"))
    func `a block matches the reference forward and backward`(_ reference: ParityCase) throws {
        let fixture = try reference.fixture()
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let block = DiCoBlock(
            store.scope, channels: try fixture.integer("hidden_size"),
            mlpRatio: try fixture.number("mlp_ratio"))
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor.variable
        let c = try fixture.input("c").tensor.variable
        let y = block(x, condition: c)
        expectMatch(y, try fixture.output("y"), within: 1e-4)

        let gradients = y.gradients(cotangent: try fixture.cotangent("y").channelsLastTensor)
        expectMatch(try #require(gradients[x]), try fixture.inputGradient("x"), within: 1e-3)
        expectMatch(try #require(gradients[c]), try fixture.inputGradient("c"), within: 1e-3)
        for (name, parameter) in store.all {
            expectMatch(
                try #require(gradients[parameter], "\(name)"), try fixture.parameterGradient(name),
                channelsLast: false, within: 1e-3)
        }
    }

    @Test func `a fresh model predicts exactly zero`() {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let model = DiCo(
            store.scope,
            DiCoConfiguration(inputChannels: 3, hiddenSize: 8, depth: [1, 1, 1, 1, 1], classCount: 4))
        let x = Tensor(repeating: 0.5, shape: [2, 8, 12, 3])
        let y = model.predict(x, time: [3, 700], labels: [2, nil])
        #expect(y.shape == [2, 8, 12, 6])
        #expect(y.scalars.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [1, 2, 4]) func `a space-to-depth stem keeps the image size`(_ patchSize: Int) {
        let configuration = DiCoConfiguration(
            inputChannels: 3, hiddenSize: 8, depth: [1, 0, 1, 0, 1], classCount: 0, learnSigma: false,
            patchSize: patchSize)
        let model = DiCo(ParameterStore(.initialized(seed: 1), isTracked: false).scope, configuration)
        let size = configuration.sizeMultiple
        let y = model.predict(.zeros([3, size, 2 * size, 3]), time: [1, 2, 3], labels: [nil, nil, nil])
        #expect(y.shape == [3, size, 2 * size, 3])
    }
}

@Suite struct DiCoCostTests {
    @Test(arguments: [
        ("dico-s", 4.236, 16.90), ("dico-b", 16.856, 67.26), ("dico-l", 60.169, 240.0),
        ("dico-xl", 87.221, 347.9),
        ("dico-h", 194.03, 774.9),
    ])
    func `multiply-accumulates are the published ones`(_ preset: String, _ at32: Double, _ at64: Double)
        throws
    {
        let configuration = try #require(DiCoConfiguration.presets[preset])
        let small = Double(configuration.multiplyAccumulates(height: 32, width: 32)) / 1e9
        let large = Double(configuration.multiplyAccumulates(height: 64, width: 64)) / 1e9
        #expect(abs(small - at32) / at32 < 2e-4)
        #expect(abs(large - at64) / at64 < 5e-4)
    }
}
