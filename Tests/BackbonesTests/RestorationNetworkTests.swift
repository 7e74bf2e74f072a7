import Archives
import Backbones
import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// The published names, shapes and counts of every restoration network.
@Suite struct RestorationNetworkTests {
    static let indexPath = TestData.fixture("denoise/state_dict_index.json")

    static var tunable: NAFNetConfiguration {
        var result =
            NAFNetConfiguration.presets["nafnet-sidd-32"]
            ?? NAFNetConfiguration(encoderBlocks: [], middleBlocks: 0, decoderBlocks: [])
        result.kernel = .tunable(KernelMixing(parameterCount: 2))
        return result
    }

    static func preset(_ name: String) throws -> RestorationNetwork {
        .nafnet(try #require(NAFNetConfiguration.presets[name]))
    }

    static func network(_ name: String) throws -> RestorationNetwork {
        switch name {
        case "dncnn_pytorch_17_64_1": .dncnn(DnCNNConfiguration(dialect: .dncnnPyTorch))
        case "kair_dncnn_17_BR": .dncnn(DnCNNConfiguration())
        case "kair_dncnn_20_R_color":
            .dncnn(DnCNNConfiguration(imageChannels: 3, depth: 20, hasBatchNorm: false))
        case "kair_fdncnn_gray": .dncnn(.fdncnn())
        case "kair_ffdnet_gray": .ffdnet(.grey)
        case "kair_ffdnet_color": .ffdnet(.colour)
        case "kair_drunet_gray": .drunet(DRUNet.Configuration())
        case "kair_drunet_color": .drunet(DRUNet.Configuration(imageChannels: 3))
        case "tunable_nafnet_sidd_width32_P2": .nafnet(tunable)
        default:
            try preset(name.replacing("_width", with: "-").replacing("_", with: "-"))
        }
    }

    static func index() throws -> [(name: String, count: Int, shapes: [String: Shape])] {
        let bytes = try MappedFile(path: indexPath).slice
        let index = try bytes.withBytes { try JSONValue(parsing: $0) }.object ?? [:]
        return index.map { name, entry in
            let shapes = (entry["tensors"]?.object ?? [:]).mapValues { Shape($0.integers ?? []) }
            return (name, entry["num_params"]?.integer ?? 0, shapes)
        }.sorted { $0.name < $1.name }
    }

    @Test func `parameters have the published names, shapes and count`() throws {
        let index = try Self.index()
        #expect(index.count == 13)
        for entry in index {
            let store = ParameterStore(.shapesOnly, isTracked: false)
            _ = try Self.network(entry.name).makeRestorer(store.scope)
            let shapes = Dictionary(uniqueKeysWithValues: store.shapes.map { ($0.name, $0.shape) })
            #expect(shapes == entry.shapes, "\(entry.name)")
            let count = store.all.reduce(0) { $0 + $1.tensor.elementCount }
            #expect(count == entry.count, "\(entry.name)")
        }
    }

    @Test func `a network is told by its parameters' names and shapes`() throws {
        for entry in try Self.index() {
            var expected = try Self.network(entry.name)
            if case .nafnet(var configuration) = expected {
                configuration.localTrainingSize = nil
                expected = .nafnet(configuration)
            }
            #expect(try RestorationNetwork(inferredFrom: entry.shapes) == expected, "\(entry.name)")
        }
    }

    @Test(
        arguments: [
            [:], ["a.weight": [3, 3]], ["intro.weight": [3]], ["intro.weight": [0, 3, 3, 3]],
            ["intro.weight": [8, 3, 3, 3], "encoders.0.0.beta": [1, 8, 1, 1]], ["m_head.weight": [1]],
            ["intro.mlp.weight": [2], "intro.weight": [4]], ["model.0.weight": [8, 1, 3, 3]],
            ["model.0.weight": [8, 1, 3, 3], "model.2.weight": [5, 8, 3, 3]],
            ["model.x.weight": [8, 1, 3, 3]],
            ["m_head.weight": [4], "m_down3.0.res.0.weight": [3, 3, 3, 3]],
        ] as [[String: Shape]])
    func `parameters of no known network are refused`(_ shapes: [String: Shape]) {
        #expect(throws: UnknownNetwork.self) { try RestorationNetwork(inferredFrom: shapes) }
    }

    /// Small networks of every kind and kernel.
    static let kernels: [ConvolutionKernel] = [
        .standard, .weighted(KernelDensity([0.7])), .weighted(KernelDensity([1.1], isTrainable: true)),
        .tunable(KernelMixing(parameterCount: 2)), .tunable(KernelMixing(parameterCount: 2, rule: .linear)),
    ]

    static func small(_ kernel: ConvolutionKernel) -> [RestorationNetwork] {
        var ffdnet = FFDNet.Configuration(imageChannels: 2, depth: 3, width: 5)
        ffdnet.kernel = kernel
        var dico = DiCoDenoiserTests.configuration()
        dico.kernel = kernel
        return [
            .dncnn(DnCNNConfiguration(imageChannels: 2, depth: 4, width: 5, kernel: kernel)),
            .dncnn(
                DnCNNConfiguration(
                    imageChannels: 2, depth: 4, width: 5, dialect: .dncnnPyTorch, kernel: kernel)),
            .ffdnet(ffdnet), .drunet(.init(imageChannels: 2, widths: [2, 3, 4, 5], blockCount: 2)),
            .nafnet(
                NAFNetConfiguration(
                    imageChannels: 2, width: 4, encoderBlocks: [1, 1], middleBlocks: 1,
                    decoderBlocks: [1, 1],
                    kernel: kernel)),
            .dico(dico),
        ]
    }

    /// Factors that begin at zero would hide what is behind them.
    static func awaken(_ store: ParameterStore) {
        for (name, tensor) in store.all
        where ["beta", "gamma", "adaLN", "out_proj"].contains(where: name.contains) {
            tensor.assign(RandomStream(seed: 1).stream(named: name).normals(tensor.shape))
        }
    }

    @Test(arguments: kernels) func `every size keeps its shape and every parameter gets a gradient`(
        _ kernel: ConvolutionKernel
    ) throws {
        for network in Self.small(kernel) {
            let store = ParameterStore(.initialized(seed: 3), isTracked: true)
            let restorer = network.makeRestorer(store.scope)
            Self.awaken(store)
            for (n, h, w) in [(3, 7, 10), (1, 1, 5)] {
                let x = RandomStream(seed: 5).uniforms([n, h, w, 2])
                let tuning = restorer.tuningCount > 0 ? RandomStream(seed: 6).uniforms([n, 2]) : nil
                let level = Tensor(repeating: 0.1, shape: [n, 1])
                let y = restorer.restore(
                    x, RestorationCondition(noiseLevel: level, tuning: tuning), isTraining: true)
                #expect(y.shape == x.shape)
                guard n > 1 else { continue }
                let gradients = y.gradients(cotangent: RandomStream(seed: 7).normals(y.shape))
                for (name, tensor) in store.all {
                    #expect(gradients[tensor]?.nonFiniteCount == 0, "\(network): \(name)")
                    #expect(gradients[tensor].map { Tensor.dot($0, $0) > 0 } ?? false, "\(network): \(name)")
                }
            }
        }
    }

    @Test func `a noise map of one value is the value`() throws {
        for network in [
            RestorationNetwork.ffdnet(.init(imageChannels: 2, depth: 3, width: 5)),
            .drunet(.init(imageChannels: 2, widths: [2, 3, 4, 5], blockCount: 1)),
            .dncnn(.fdncnn(imageChannels: 2, depth: 3, width: 5)), .dico(DiCoDenoiserTests.configuration()),
        ] {
            let store = ParameterStore(.initialized(seed: 1), isTracked: false)
            let restorer = network.makeRestorer(store.scope)
            Self.awaken(store)
            let x = RandomStream(seed: 2).uniforms([2, 5, 7, 2])
            let one = restorer.restore(x, RestorationCondition(sigma: 25, imageCount: 2))
            let map = Tensor(repeating: 25 / 255, shape: [2, 5, 7, 1])
            let mapped = restorer.restore(x, RestorationCondition(noiseLevel: map))
            for (a, b) in zip(one.scalars, mapped.scalars) { #expect(abs(a - b) < 1e-6) }
        }
    }

    @Test(arguments: [
        DnCNNConfiguration(depth: 4, width: 6),
        DnCNNConfiguration(depth: 4, width: 6, dialect: .dncnnPyTorch),
        DnCNNConfiguration(
            depth: 3, width: 6, dialect: .dncnnPyTorch,
            kernel: .weighted(KernelDensity([0.7], isTrainable: true))),
        DnCNNConfiguration(depth: 3, width: 6, kernel: .weighted(KernelDensity([0.7]))),
    ])
    func `a folded DnCNN gives the same images`(_ configuration: DnCNNConfiguration) throws {
        let store = ParameterStore(.initialized(seed: 4), isTracked: true)
        let model = DnCNN(store.scope, configuration)
        let random = RandomStream(seed: 8)
        for _ in 0..<3 { _ = model(random.normals([4, 9, 8, 1]), isTraining: true) }
        let parameters = Dictionary(
            uniqueKeysWithValues: (store.all + store.buffers).map { ($0.name, $0.tensor) })
        let (plain, folded) = try configuration.folded(parameters)
        #expect(!plain.hasBatchNorm && plain.kernel == .standard)
        let foldedStore = ParameterStore(.loaded(folded), isTracked: false)
        let foldedModel = DnCNN(foldedStore.scope, plain)
        try foldedStore.validate()
        let x = random.stream(1).uniforms([2, 7, 5, 1])
        let (a, b) = (model(x), foldedModel(x))
        for (a, b) in zip(a.scalars, b.scalars) { #expect(abs(a - b) < 1e-5) }
    }

    @Test(arguments: [
        ("nafnet-sidd-32", 16.05), ("nafnet-gopro-32", 15.96),
    ]) func `multiply-accumulates are the published ones`(_ preset: String, _ billions: Double) throws {
        let stages = try Self.preset(preset).stageCosts(height: 256, width: 256)
        let sum = Double(stages.reduce(0) { $0 + $1.multiplyAccumulates }) / 1e9
        #expect(abs(sum - billions) < 0.01)
        // Sizes are padded to multiples of 16.
        #expect(try Self.preset(preset).stageCosts(height: 241, width: 250) == stages)
    }

    @Test func `every parameter and every layer belongs to a stage`() throws {
        for network in Self.kernels.flatMap(Self.small) {
            let stages = network.stageCosts(height: 32, width: 32)
            let store = ParameterStore(.shapesOnly, isTracked: false)
            _ = network.makeRestorer(store.scope)
            #expect(stages.reduce(0) { $0 + $1.parameters } == store.scalarCount, "\(network)")
            #expect(Set(stages.map(\.name)).count == stages.count)
            for (name, _) in store.all {
                #expect(stages.contains { $0.name == network.stageName(of: name) }, "\(name)")
            }
        }
        // Five 3×3 convolutions of 5 channels at every pixel, two of them to the image's 2.
        let chain = RestorationNetwork.dncnn(
            DnCNNConfiguration(imageChannels: 2, depth: 4, width: 5, hasBatchNorm: false))
        let costs = chain.stageCosts(height: 3, width: 7)
        #expect(costs.map(\.multiplyAccumulates) == [90, 225, 225, 90].map { 21 * $0 })
        #expect(costs.map(\.name) == ["model.0", "model.2", "model.4", "model.6"])
    }

    @Test func `DRUNet's levels cost what their sizes say`() {
        let network = RestorationNetwork.drunet(.init(imageChannels: 1, widths: [2, 3, 4, 5], blockCount: 1))
        let costs = Dictionary(
            uniqueKeysWithValues: network.stageCosts(height: 16, width: 8).map {
                ($0.name, $0.multiplyAccumulates)
            })
        #expect(costs["m_head"] == 128 * 9 * 2 * 2 && costs["m_tail"] == 128 * 9 * 2)
        // Two 3×3 convolutions at full size, one strided 2×2 at the half.
        #expect(costs["m_down1"] == 128 * 2 * 9 * 4 + 32 * 4 * 2 * 3)
        #expect(costs["m_up1"] == 32 * 4 * 2 * 3 + 128 * 2 * 9 * 4)
        #expect(costs["m_body"] == 2 * 2 * 9 * 25)
    }

    @Test func `merged files with gaps in their numbers are read too`() throws {
        let plain = DnCNNConfiguration(depth: 3, width: 4, hasBatchNorm: false)
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        _ = DnCNN(store.scope, plain)
        let names = ["model.0": "model.0", "model.2": "model.2", "model.4": "model.5"]
        var gapped: [String: Tensor] = [:]
        for (name, tensor) in store.all {
            let parts = name.split(separator: ".")
            let base = names["model.\(parts[1])"] ?? ""
            gapped["\(base).\(parts[2])"] = tensor
        }
        let again = DnCNNConfiguration.renumbered(gapped)
        #expect(Set(again.keys) == Set(store.all.map(\.name)))
        for (name, tensor) in store.all { #expect(again[name]?.scalars == tensor.scalars) }
    }

    @Test(arguments: kernels) func `inference with folded parameters gives the same images`(
        _ kernel: ConvolutionKernel
    ) throws {
        for network in Self.small(kernel) where network.kernel == kernel {
            let store = ParameterStore(.initialized(seed: 3), isTracked: false)
            let restorer = network.makeRestorer(store.scope)
            Self.awaken(store)
            let parameters = Dictionary(
                uniqueKeysWithValues: (store.all + store.buffers).map { ($0.name, $0.tensor) })
            let tuning: [Float]? = restorer.tuningCount > 0 ? [0.3, 0.9] : nil
            let x = RandomStream(seed: 5).uniforms([2, 6, 9, 2])
            let condition = RestorationCondition(
                sigma: 20, imageCount: 2, tuning: tuning.map { Tensor(shape: [1, 2], scalars: $0) })
            let folded = try network.makeInferenceRestorer(parameters, tuning: tuning)
            #expect(folded.tuningCount == 0)
            let (a, b) = (restorer.restore(x, condition), folded.restore(x, condition))
            for (a, b) in zip(a.scalars, b.scalars) { #expect(abs(a - b) < 2e-5, "\(network)") }
        }
    }

    @Test func `a wrong number of tuning values is refused`() throws {
        let network = RestorationNetwork.dncnn(DnCNNConfiguration(depth: 3, width: 4))
        #expect(throws: ConfigurationError.self) { try network.makeInferenceRestorer([:], tuning: [1]) }
    }

    @Test func `a standard network may begin where a weighted one does`() {
        var configuration = DnCNNConfiguration(depth: 3, width: 6, hasBatchNorm: false)
        configuration.initialDensity = [0.7]
        let plain = ParameterStore(.initialized(seed: 9), isTracked: false)
        let standard = DnCNN(plain.scope, configuration)
        configuration.initialDensity = nil
        configuration.kernel = .weighted(KernelDensity([0.7]))
        let weighted = DnCNN(ParameterStore(.initialized(seed: 9), isTracked: false).scope, configuration)
        let x = RandomStream(seed: 2).uniforms([1, 7, 5, 1])
        for (a, b) in zip(standard(x).scalars, weighted(x).scalars) { #expect(abs(a - b) < 1e-5) }
    }
}
