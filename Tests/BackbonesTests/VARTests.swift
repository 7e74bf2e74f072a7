import Backbones
import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct VARTests {
    static let small = [
        VARConfiguration(
            grids: [Grid(1), Grid(2), Grid(3)], depth: 2, width: 16, heads: 2, vocabulary: 10,
            tokenChannels: 3,
            classCount: 4),
        VARConfiguration(
            grids: [Grid(2), Grid(3, 2)], depth: 2, width: 16, heads: 4, vocabulary: 10, tokenChannels: 3,
            classCount: 4, sharesModulation: true, normalizesQueries: false),
        VARConfiguration(
            grids: [Grid(2)], depth: 1, width: 16, heads: 1, vocabulary: 10, tokenChannels: 3, classCount: 0),
    ]

    /// Names and shapes that a JSON list of the released checkpoint gives.
    static func released(_ file: String) throws -> [String: [Int]] {
        let text = String(decoding: try bytes(of: TestData.fixture("nfig/\(file)")), as: UTF8.self)
        let tensors = try #require(try JSONValue(parsing: text)["tensors"]?.array)
        return tensors.reduce(into: [:]) { result, entry in
            if let name = entry[0]?.string, let shape = entry[1]?.integers { result[name] = shape }
        }
    }

    @Test func `has the released checkpoint's names and shapes`() throws {
        let configuration = try #require(VARConfiguration.presets["var-d16"])
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = VAR(store.scope, configuration)
        var names = store.shapes.reduce(into: [String: [Int]]()) { $0[$1.name] = $1.shape.extents }
        for (name, shape) in VARCheckpoint.tables(configuration) { names[name] = shape.extents }
        let released = try Self.released("keys_var_d16.json")
        #expect(Set(names.keys).symmetricDifference(released.keys).sorted() == [])
        for (name, shape) in released { #expect(names[name] == shape, "\(name)") }
        #expect(store.scalarCount == 310_283_520)
    }

    @Test(arguments: small) func `levels one by one give the scores of all at once`(
        _ configuration: VARConfiguration
    ) throws {
        let store = ParameterStore(.initialized(seed: 4), isTracked: false)
        let model = VAR(store.scope, configuration)
        // Fresh gates are nearly closed: open them, so that attention matters.
        for (name, tensor) in store.all where name.contains("ada") {
            tensor.assign(RandomStream(seed: 9).stream(named: name).normals(tensor.shape) * 0.3)
        }
        let labels: [Int?] = configuration.classCount > 0 ? [1, nil, 3] : [nil, nil, nil]
        let rest = configuration.tokenCount - configuration.grids[0].count
        let inputs = RandomStream(seed: 6).normals([3, rest, 3])
        let whole = model(rest > 0 ? inputs : nil, labels: labels)
        let batch = model.begin(labels: labels)
        let first = configuration.grids[0].count
        for (level, range) in configuration.ranges.enumerated() {
            let grid = configuration.grids[level]
            let input =
                level == 0
                ? nil
                : inputs.tokens(range.lowerBound - first..<range.upperBound - first).reshaped([
                    3, grid.height, grid.width, 3,
                ])
            let part = batch.logits(level: level, input: input)
            let difference = zip(part.scalars, whole.tokens(range).scalars).map { abs($0 - $1) }.max() ?? 0
            #expect(difference < 1e-5)
        }
    }

    @Test(arguments: small) func `a checkpoint of other levels is refused`(_ configuration: VARConfiguration)
        throws
    {
        let store = ParameterStore(.initialized(seed: 4), isTracked: false)
        _ = VAR(store.scope, configuration)
        var tensors = store.all.reduce(into: [String: Tensor]()) { $0[$1.name] = $1.tensor }
        let levels = configuration.levelOfToken.map(Float.init)
        tensors["lvl_1L"] = Tensor(shape: [1, levels.count], scalars: levels)
        let kept = try VARCheckpoint.parameters(of: tensors, configuration, name: "var.pth")
        #expect(kept.count == store.all.count)
        tensors["lvl_1L"] = Tensor(shape: [1, levels.count], scalars: levels.map { $0 + 1 })
        let error = #expect(throws: ConfigurationError.self) {
            try VARCheckpoint.parameters(of: tensors, configuration, name: "var.pth")
        }
        #expect(error?.description.contains("var.pth") == true)
    }

    @Test func `presets have the published sizes`() throws {
        for (name, millions) in [("var-d20", 600.9), ("var-d24", 1033.4), ("var-d30", 2010.0)] {
            let configuration = try #require(VARConfiguration.presets[name])
            let store = ParameterStore(.shapesOnly, isTracked: false)
            _ = VAR(store.scope, configuration)
            #expect(abs(Double(store.scalarCount) / 1e6 - millions) < 0.01 * millions, "\(name)")
        }
    }
}

@Suite struct ScaleMarkovTests {
    static let configuration = LevelBackboneConfiguration(
        grids: [Grid(1), Grid(2, 3), Grid(4)], inputChannels: 3, width: 8, depth: 2, classCount: 2)

    @Test func `predicts every level down to one position, and learns`() throws {
        try Self.configuration.validate()
        let store = ParameterStore(.initialized(seed: 1), isTracked: true)
        let model = ScaleMarkov(store.scope, Self.configuration, vocabulary: 7)
        let inputs = [Grid(2, 3), Grid(4)].map {
            RandomStream(seed: 2).normals([3, $0.height, $0.width, 3])
        }
        let indices = Self.configuration.grids.map { grid in (0..<3 * grid.count).map { ($0 * 5 + 2) % 7 } }
        let loss = model.loss(inputs: inputs, indices: indices, labels: [0, nil, 1])
        #expect(abs(loss.item - 1.9459) < 0.05)  // ln 7: a fresh model knows nothing.
        let gradients = loss.gradients()
        for name in ["start", "stem.weight", "level_embed.weight", "class_emb.weight", "head.weight"] {
            let parameter = try #require(store[name])
            #expect(gradients[parameter] != nil, "\(name)")
        }
        let batch = model.begin(labels: [0, nil, 1])
        #expect(batch.logits(level: 0, input: nil).shape == [3, 1, 7])
        #expect(batch.logits(level: 1, input: inputs[0]).shape == [3, 6, 7])
    }
}
