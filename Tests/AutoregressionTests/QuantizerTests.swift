import Autoregression
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct QuantizerTests {
    static let configurations: [QuantizerConfiguration] = {
        let grids = [[Grid(1), Grid(2), Grid(4)], [Grid(2, 1), Grid(3, 2), Grid(5, 3)], [Grid(3)]]
        return grids.flatMap { grids in
            [0, 1, 2, 4].flatMap { sharing in
                [true, false].map { usesBands in
                    QuantizerConfiguration(
                        vocabulary: 12, channels: 3, pyramid: PyramidConfiguration(grids: grids),
                        usesBands: usesBands, refinement: sharing == 2 ? 0 : 0.5, refinements: sharing,
                        normalizesCodes: sharing == 1)
                }
            }
        }
    }()

    private func make(_ configuration: QuantizerConfiguration, tracked: Bool = false) throws -> (
        MultiScaleQuantizer, ParameterStore
    ) {
        let store = ParameterStore(.initialized(seed: 3), isTracked: tracked)
        return (try MultiScaleQuantizer(store.scope, configuration), store)
    }

    private func latents(_ quantizer: MultiScaleQuantizer, _ count: Int = 2) -> Tensor {
        let grid = quantizer.pyramid.finest
        return RandomStream(seed: 5).normals([count, grid.height, grid.width, 3])
    }

    private func distance(_ a: Tensor, _ b: Tensor) -> Float {
        guard a.shape == b.shape else { return .infinity }
        return zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? 0
    }

    @Test(arguments: configurations)
    func `codes and what they leave over make the latent`(_ configuration: QuantizerConfiguration) throws {
        let (quantizer, _) = try make(configuration)
        let f = latents(quantizer)
        let result = quantizer.quantize(f)
        #expect(result.indices.map(\.count) == quantizer.pyramid.grids.map { 2 * $0.count })
        for level in 0..<quantizer.levelCount {
            let whole = configuration.usesBands ? quantizer.pyramid.lowpass(f, level: level) : f
            #expect(distance(result.accumulated[level] + result.residuals[level], whole) < 1e-5)
        }
        #expect(distance(result.latent, result.accumulated[quantizer.levelCount - 1]) < 1e-5)
        // The codes alone lead to the same latents, and the same inputs for the levels to come.
        let sums = quantizer.accumulated(result.indices)
        for (again, first) in zip(sums, result.accumulated) { #expect(distance(again, first) < 1e-6) }
        let inputs = quantizer.teacherInputs(result.indices)
        let tokens = quantizer.pyramid.grids.dropFirst().map(\.count).reduce(0, +)
        #expect((inputs?.shape ?? [2, 0, 3]) == [2, tokens, 3])
    }

    @Test(arguments: configurations)
    func `the latent's derivative passes straight through`(_ configuration: QuantizerConfiguration) throws {
        let (quantizer, store) = try make(configuration, tracked: true)
        let f = latents(quantizer).variable
        let cotangent = RandomStream(seed: 8).normals(f.shape)
        let result = quantizer.quantize(f)
        #expect(distance(try #require(result.latent.gradients(cotangent: cotangent)[f]), cotangent) == 0)
        let gradients = quantizer.quantize(f).loss.gradients()
        #expect(gradients[f] != nil)
        for (name, tensor) in store.all where !name.contains("quant_resi") || configuration.refinement > 0 {
            #expect(
                name.contains("qresi_ls") || name.contains("quant_resi") || gradients[tensor] != nil,
                "\(name)")
        }
    }

    @Test func `a code is its own nearest code`() throws {
        let (quantizer, _) = try make(Self.configurations[0])
        let all = Array(0..<12)
        let codes = quantizer.codebook.reshaped([1, 3, 4, 3])
        #expect(quantizer.nearestCodes(to: codes) == all)
        let twice = Tensor.concatenateSamples([quantizer.codebook, quantizer.codebook])
        #expect(twice.shape == [24, 3])
    }

    @Test func `levels share the refinements as published`() {
        #expect(QuantizerConfiguration.slots(refinements: 4, levels: 10) == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
        #expect(QuantizerConfiguration.slots(refinements: 1, levels: 3) == [0, 0, 0])
        #expect(QuantizerConfiguration.slots(refinements: 3, levels: 1) == [0])
        #expect(QuantizerConfiguration.slots(refinements: 0, levels: 3) == [])
    }

    @Test func `codebook use is counted and settles`() {
        let usage = Tensor.zeros([2, 4])
        CodebookUsage.record([[0, 0, 1], [2]], into: usage, batch: 0)
        #expect(usage.scalars == [2, 1, 0, 0, 0, 0, 1, 0])
        CodebookUsage.record([[3, 3, 3], [2]], into: usage, batch: 1)
        #expect(zip(usage.scalars, [1.8, 0.9, 0, 0.3, 0, 0, 1, 0]).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(CodebookUsage.shares(usage, positions: [3, 1]) == [0.75, 0.25])
    }

    @Test func `settings that cannot be are named`() throws {
        var configuration = QuantizerConfiguration(pyramid: PyramidConfiguration(grids: [Grid(2)]))
        configuration.vocabulary = 0
        #expect(throws: ConfigurationError.self) { try configuration.validate() }
        configuration.vocabulary = 4
        configuration.refinement = 2
        let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
        #expect(error?.field == "refinement")
    }
}
