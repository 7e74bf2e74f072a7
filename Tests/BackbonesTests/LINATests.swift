import Archives
import Backbones
import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct LINATests {
    /// Names and shapes of the released files.
    static func manifest() throws -> [String: JSONValue] {
        let text = String(
            decoding: try bytes(of: TestData.fixture("lina/checkpoint_manifest.json")), as: UTF8.self)
        return try #require(try JSONValue(parsing: text).object)
    }

    private func expect(_ shapes: [(name: String, shape: Shape)], equal key: String) throws {
        let entry = try #require(try Self.manifest()[key], "\(key)")
        let listed = try #require(entry["tensors"]?.object).mapValues { $0.integers ?? [] }
        let built = Dictionary(uniqueKeysWithValues: shapes.map { ($0.name, $0.shape.extents) })
        let differences = ParameterDifferences(file: key, model: key, expected: built, found: listed)
        #expect(differences.isEmpty, "\(differences)")
        // The table of blank prompts is stored, but is no parameter.
        let counted = shapes.filter { $0.name != "text_embed.weight" }
        #expect(counted.reduce(0) { $0 + $1.shape.elementCount } == entry["parameters"]?.integer)
    }

    @Test(arguments: [
        ("lina-c2i-d48w768", "c2i_d48w768_256"), ("lina-c2i-d48w1024", "c2i_d48w1024_256"),
        ("lina-c2i-d48w1536", "c2i_d48w1536_256"), ("lina-t2i-d48w1536-512", "t2i_d48w1536_512"),
        ("lina-t2i-d48w1536-1024", "t2i_d48w1536_1024"),
        ("lina-c2i-d48w768-softmax", "c2i_d48w768_256_softmax"),
    ])
    func `has the released names and shapes`(_ preset: String, _ key: String) throws {
        let configuration = try #require(LINAConfiguration.presets[preset])
        try configuration.validate()
        try expect(configuration.parameterShapes, equal: key)
        let trained = configuration.parameterShapes.filter {
            LINAConfiguration.isTrained($0.name) && $0.name != "text_embed.weight"
        }
        let manifest = try Self.manifest()
        #expect(trained.reduce(0) { $0 + $1.shape.elementCount } == manifest[key]?["trainable"]?.integer)
    }

    @Test func `autoencoders have the released names and shapes`() throws {
        var configuration = KLAutoencoderConfiguration.mar16
        try expect(configuration.parameterShapes, equal: "vae_mar_kl16")
        configuration.naming = .latentDiffusion
        try expect(configuration.parameterShapes, equal: "vae_mar_kl16_ldm_names")
        try expect(KLAutoencoderConfiguration.sdxl.parameterShapes, equal: "vae_sdxl")
    }

    /// A model that is small, not square and has every part.
    private func small(_ mixer: LINAMixer = .lina, text: Bool = false) -> LINAConfiguration {
        var configuration = LINAConfiguration(hiddenSize: 8, heads: 2)
        (configuration.inputChannels, configuration.patchSize) = (3, 2)
        (configuration.height, configuration.width) = (8, 12)
        (configuration.conditionHeight, configuration.conditionWidth) = (2, 3)
        (configuration.conditionDepth, configuration.depth, configuration.headDepth) = (1, 2, 1)
        configuration.classCount = text ? 0 : 5
        (configuration.textSize, configuration.textLength) = text ? (6, 4) : (0, 4)
        configuration.mixer = mixer
        return configuration
    }

    @Test(arguments: LINAMixer.allCases) func `a fresh head predicts velocity zero`(_ mixer: LINAMixer) throws
    {
        let configuration = small(mixer)
        try configuration.validate()
        let model = LINA(ParameterStore(.initialized(seed: 1), isTracked: false).scope, configuration)
        let tokens = RandomStream(seed: 2).normals([2, 24, 12])
        let z = model.features(
            of: tokens, visible: [[3, 1], [7, 9]], condition: model.condition(labels: [4, nil]))
        #expect(z.shape == [2, 24, 8])
        #expect(z.nonFiniteCount == 0)
        let rows = z.gatheringTokenRows([[0, 2], [5]])
        let velocity = model.head(
            .zeros([3, 12]), time: [1, 500, 1000], condition: model.headCondition(rows))
        #expect(velocity.shape == [3, 12])
        #expect(velocity.scalars.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [LINAMixer.lina, .softmax])
    func `features depend on visible tokens alone, not on their order`(
        _ mixer: LINAMixer
    ) {
        let model = LINA(ParameterStore(.initialized(seed: 1), isTracked: false).scope, small(mixer))
        let tokens = RandomStream(seed: 2).normals([1, 24, 12])
        let condition = model.condition(labels: [2])
        func features(_ tokens: Tensor, _ visible: [Int]) -> Tensor {
            model.features(of: tokens, visible: [visible], condition: condition)
        }
        let reference = features(tokens, [3, 8, 20])
        let hidden = tokens.replacingTokens([[0, 5]], with: .zeros([2, 12]))
        #expect(features(hidden, [3, 8, 20]).scalars == reference.scalars)
        let shuffled = features(tokens, [20, 3, 8])
        #expect(zip(shuffled.scalars, reference.scalars).allSatisfy { abs($0 - $1) < 1e-4 })
        let seen = tokens.replacingTokens([[8]], with: .zeros([1, 12]))
        #expect(features(seen, [3, 8, 20]).scalars != reference.scalars)
        #expect(features(tokens, []).nonFiniteCount == 0)
    }

    @Test func `a prompt replaces the first rows of the blank one`() {
        let model = LINA(ParameterStore(.initialized(seed: 1), isTracked: false).scope, small(text: true))
        let prompt = RandomStream(seed: 3).normals([2, 6])
        let long = RandomStream(seed: 3).normals([9, 6])
        let condition = model.condition(prompts: [nil, prompt, .zeros([0, 6]), long])
        #expect(condition.shape == [4, 6, 8])
        let rows = (0..<4).map { condition.samples($0..<$0 + 1).scalars }
        #expect(rows[0] == rows[2])
        #expect(rows[0] != rows[1])
    }

    private static let mistakes: [(String, @Sendable (inout LINAConfiguration) -> Void)] = [
        ("hiddenSize", { $0.heads = 3 }), ("height", { $0.height = 9 }), ("depth", { $0.depth = 3 }),
        ("classCount", { $0.textSize = 4 }),
        ("textLength", { ($0.textSize, $0.classCount, $0.textLength) = (4, 0, 600) }),
        ("conditionDropout", { $0.conditionDropout = 1 }), ("inputChannels", { $0.inputChannels = 0 }),
    ]

    @Test func `a configuration that cannot be is refused by field`() {
        for (field, change) in Self.mistakes {
            var configuration = small()
            change(&configuration)
            let error = #expect(throws: ConfigurationError.self, "\(field)") { try configuration.validate() }
            #expect(error?.field == field)
        }
    }

    @Test(arguments: [1, 2, 3]) func `patches and images are inverse`(_ patch: Int) {
        let image = RandomStream(seed: 1).normals([2, 2 * patch, 3 * patch, 3])
        let grid = TokenGrid(2, 3)
        let tokens = PatchEmbedding.tokens(of: image, patchSize: patch)
        #expect(PatchEmbedding.image(of: tokens, grid: grid, patchSize: patch).scalars == image.scalars)
        let others = MAR.tokens(of: image, patchSize: patch)
        #expect(MAR.image(of: others, grid: grid, patchSize: patch).scalars == image.scalars)
    }
}

@Suite struct DiCoMixerTests {
    @Test(arguments: [(DiCoMixer.linearAttention, 0), (.linearAttention, 3), (.softmaxAttention, 0)])
    func `a DiCo with attention in its seats trains and takes any size`(_ mixer: DiCoMixer, _ gate: Int)
        throws
    {
        var configuration = DiCoConfiguration(
            inputChannels: 3, hiddenSize: 8, depth: [1, 1, 1, 1, 1], classCount: 4, learnSigma: false)
        (configuration.mixer, configuration.mixerHeadSize, configuration.mixerGateSize) = (mixer, 4, gate)
        try configuration.validate()
        let fresh = ParameterStore(.initialized(seed: 1), isTracked: false)
        _ = DiCo(fresh.scope, configuration)
        // Zero-initialised modulation would hide the mixers.
        let tensors = Dictionary(
            uniqueKeysWithValues: fresh.all.map {
                (
                    $0.name,
                    $0.tensor + RandomStream(seed: 2).stream(named: $0.name).normals($0.tensor.shape) * 0.1
                )
            })
        let store = ParameterStore(.loaded(tensors), isTracked: true)
        let model = DiCo(store.scope, configuration)
        try store.validate()
        for size in [(8, 8), (12, 20)] {
            let x = RandomStream(seed: 3).normals([2, size.0, size.1, 3])
            let y = model.predict(x, time: [1, 900], labels: [0, nil])
            #expect(y.shape == x.shape)
            let gradients = y.squared.mean().gradients()
            for (name, parameter) in store.all where name.contains(".attn.") {
                #expect(gradients[parameter]?.nonFiniteCount == 0, "\(name)")
                #expect(gradients[parameter]?.scalars.contains { $0 != 0 } == true, "\(name)")
            }
        }
    }

    @Test func `attention needs heads that divide the width`() {
        var configuration = DiCoConfiguration(hiddenSize: 40, depth: [1, 1, 1, 1, 1])
        configuration.mixer = .linearAttention
        let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
        #expect(error?.description == "mixerHeadSize must be a divisor of the hidden size 40, found 64")
    }

    @Test func `the cost of linear attention grows with the pixels, that of softmax faster`() {
        var configuration = DiCoConfiguration(hiddenSize: 64, depth: [2, 2, 2, 2, 2], classCount: 0)
        func ratio(_ mixer: DiCoMixer) -> Double {
            configuration.mixer = mixer
            let small = configuration.multiplyAccumulates(height: 32, width: 32)
            return Double(configuration.multiplyAccumulates(height: 64, width: 64)) / Double(small)
        }
        #expect(abs(ratio(.linearAttention) - 4) < 0.02)
        #expect(ratio(.softmaxAttention) > 4.2)
    }
}
