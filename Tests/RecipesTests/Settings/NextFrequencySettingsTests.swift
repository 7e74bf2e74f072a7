import Autoregression
import Backbones
import Layers
import Recipes
import Testing

@Suite struct NextFrequencySettingsTests {
    private func read<T: Settings>(_ type: T.Type, _ yaml: String) throws -> T {
        try T(SettingsNode(yaml: yaml, name: "model.yaml"))
    }

    @Test func `a grid is one number or two`() throws {
        let pyramid = try read(
            PyramidConfiguration.self, "{grids: [4, 8, [16, 12]], basis: cosine, sizing: spectral}")
        #expect(pyramid.grids == [Grid(4), Grid(8), Grid(16, 12)])
        #expect(try PyramidConfiguration(pyramid.node) == pyramid)
    }

    @Test func `groups inside groups have their defaults`() throws {
        let model = try read(
            FRVAEConfiguration.self,
            """
            codec: {width: 32, multipliers: [1, 2], latentChannels: 16}
            quantizer: {vocabulary: 256, channels: 16, pyramid: {grids: [1, 2, 4, 8]}}
            """)
        #expect(model.quantizer.refinements == 4)
        #expect(model.quantizer.pyramid.bands == .box)
        #expect(model.codec.residualBlocks == 2)
        #expect(try FRVAEConfiguration(model.node) == model)
        let sampling = try read(CategoricalSampling.self, "{guidance: {strength: 1.5}, filter: {topK: 900}}")
        #expect(sampling.guidance.form == .ramp && sampling.filter.topP == 0)
    }

    @Test(arguments: [
        ("{grids: [8, 4]}", "grids must be in ascending order"), ("{grids: []}", "at least one grid"),
        ("{grids: [[1, 2, 3]]}", "height, width"), ("{grid: [4]}", "grids"), ("{basis: cosine}", "grids"),
        ("{grids: [4], bands: rings}", "box"),
        ("{grids: [4], basis: cosine, bands: radialArea}", "cosine basis"),
    ]) func `a pyramid that cannot be names what is wrong`(_ yaml: String, _ part: String) throws {
        let error = #expect(throws: (any Error).self) { try read(PyramidConfiguration.self, yaml) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(part), "\(text)")
    }

    @Test func `latents and codes need the same channels`() {
        let error = #expect(throws: (any Error).self) {
            try read(FRVAEConfiguration.self, "{codec: {latentChannels: 16}, quantizer: {channels: 8}}")
        }
        #expect(error.map { "\($0)".contains("quantizer.channels") } == true)
    }
}
