import Autoregression
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct PyramidTests {
    static let cases: [PyramidConfiguration] = {
        let sizes: [[Grid]] = [
            [Grid(1), Grid(2), Grid(4), Grid(8)], [Grid(2), Grid(5), Grid(7)], [Grid(6, 9)],
            [Grid(1, 1), Grid(3, 2), Grid(7, 5), Grid(15, 10)], [Grid(2), Grid(2), Grid(6)],
        ]
        return sizes.flatMap { grids in
            BandShape.allCases.flatMap { bands in
                PyramidConfiguration.Sizing.allCases.map {
                    PyramidConfiguration(grids: grids, bands: bands, sizing: $0)
                }
            } + [PyramidConfiguration.octaves(grids)]
        }
    }()

    private func images(_ pyramid: FrequencyPyramid, _ seed: UInt64 = 1) -> Tensor {
        RandomStream(seed: seed).normals([3, pyramid.finest.height, pyramid.finest.width, 2])
    }

    private func distance(_ a: Tensor, _ b: Tensor) -> Float {
        guard a.shape == b.shape else { return .infinity }
        return zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? 0
    }

    @Test(arguments: cases) func `bands sum to the image`(_ configuration: PyramidConfiguration) throws {
        let pyramid = try FrequencyPyramid(configuration)
        let x = images(pyramid)
        let bands = pyramid.bands(x)
        #expect(bands.count == pyramid.levelCount)
        #expect(distance(bands.dropFirst().reduce(bands[0], +), x) < 1e-5)
        let precise = pyramid.bands(PreciseImages(x))
        for (single, double) in zip(bands, precise) {
            #expect(zip(single.scalars, double.values).allSatisfy { abs(Double($0) - $1) < 1e-5 })
        }
    }

    @Test(arguments: cases) func `filters are their own derivative`(_ configuration: PyramidConfiguration)
        throws
    {
        let pyramid = try FrequencyPyramid(configuration)
        let (x, y) = (images(pyramid, 2), images(pyramid, 3))
        for level in 0..<pyramid.levelCount {
            let variable = x.variable
            let gradient = pyramid.lowpass(variable, level: level).gradients(cotangent: y)[variable]
            #expect(distance(try #require(gradient), pyramid.lowpass(y, level: level)) < 1e-5)
        }
    }

    @Test(arguments: cases) func `the transpose of a change of size is its derivative`(
        _ configuration: PyramidConfiguration
    ) throws {
        let pyramid = try FrequencyPyramid(configuration)
        let x = images(pyramid)
        for level in 0..<pyramid.levelCount {
            let v = pyramid.down(x, to: level)
            let cotangent = RandomStream(seed: 9).normals(v.shape)
            let variable = x.variable
            let g = try #require(pyramid.down(variable, to: level).gradients(cotangent: cotangent)[variable])
            #expect(abs(Tensor.dot(g, x) - Tensor.dot(v, cotangent)) < 1e-3)
            let small = v.variable
            let h = try #require(pyramid.up(small, from: level).gradients(cotangent: x)[small])
            #expect(abs(Tensor.dot(h, v) - Tensor.dot(pyramid.up(v, from: level), x)) < 1e-3)
        }
    }

    @Test(arguments: cases.filter { $0.sizing == .spectral })
    func `spectral levels are nested projections`(_ configuration: PyramidConfiguration) throws {
        let pyramid = try FrequencyPyramid(configuration)
        let x = images(pyramid)
        func project(_ x: Tensor, _ level: Int) -> Tensor {
            pyramid.up(pyramid.down(x, to: level), from: level)
        }
        for fine in 0..<pyramid.levelCount {
            #expect(distance(project(project(x, fine), fine), project(x, fine)) < 1e-5)
            let v = pyramid.down(x, to: fine)
            #expect(distance(pyramid.down(pyramid.up(v, from: fine), to: fine), v) < 1e-5)
            for coarse in 0..<fine {
                #expect(distance(project(project(x, fine), coarse), project(x, coarse)) < 1e-5)
            }
        }
    }

    @Test(arguments: cases.filter { $0.sizing == .spectral })
    func `replacing a band leaves lower bands alone`(_ configuration: PyramidConfiguration) throws {
        let pyramid = try FrequencyPyramid(configuration)
        let (x, other) = (images(pyramid, 1), images(pyramid, 2))
        var map = pyramid.down(x, to: 0)
        for level in 1..<pyramid.levelCount {
            let next = pyramid.replacingBand(of: map, with: other, level: level)
            let detail = pyramid.detail(x, level: level)
            #expect(distance(pyramid.bandProjection(detail, level: level), detail) < 1e-5)
            #expect(distance(pyramid.resize(next, from: level, to: level - 1), map) < 1e-5)
            map = next
        }
    }

    @Test(arguments: [(Grid(2), Grid(4)), (Grid(3, 5), Grid(6, 10)), (Grid(7), Grid(14))])
    func `packing keeps lengths and undoes unpacking`(_ coarse: Grid, _ fine: Grid) throws {
        let packing = try OctavePacking(coarse: coarse, fine: fine)
        let pyramid = try FrequencyPyramid(.octaves([coarse, fine]))
        let detail = pyramid.detail(images(pyramid), level: 1)
        let packed = packing.pack(detail)
        #expect(packed.shape == [3, coarse.height, coarse.width, 6])
        #expect(abs(Tensor.dot(packed, packed) - Tensor.dot(detail, detail)) < 1e-3)
        #expect(distance(packing.unpack(packed), detail) < 1e-5)
        let noise = RandomStream(seed: 4).normals(packed.shape)
        #expect(distance(packing.pack(packing.unpack(noise)), noise) < 1e-5)
        #expect(pyramid.down(packing.unpack(noise), to: 0).scalars.allSatisfy { abs($0) < 1e-5 })
        let variable = noise.variable
        let gradient = packing.unpack(variable).gradients(cotangent: detail)[variable]
        #expect(distance(try #require(gradient), packed) < 1e-5)
    }

    @Test func `boxes carry as many coefficients as their grids have room for`() throws {
        let pyramid = try FrequencyPyramid(.var256)
        #expect(pyramid.tokenCount == 680)
        #expect(pyramid.degreesOfFreedom == [1, 3, 5, 7, 9, 11, 28, 36, 69, 87])
        #expect(pyramid.bandWeights?.map(\.total) == pyramid.degreesOfFreedom.map(Double.init))
        #expect(pyramid.warnings.isEmpty)
        #expect(try FrequencyPyramid(.var512).tokenCount == 2240)
    }

    @Test func `empty bands are warned about`() throws {
        var configuration = PyramidConfiguration.var256
        configuration.bands = .radialTokens
        let pyramid = try FrequencyPyramid(configuration)
        #expect(pyramid.bandWeights?.map(\.total) == [1, 0, 0, 0, 0, 8, 12, 36, 92, 107])
        #expect(pyramid.emptyLevels == [1, 2, 3, 4])
        #expect(pyramid.warnings.first?.contains("54 tokens") == true)
    }

    @Test func `what cannot be is said clearly`() throws {
        #expect(throws: ConfigurationError.self) { try FrequencyPyramid(PyramidConfiguration(grids: [])) }
        #expect(throws: ConfigurationError.self) {
            try FrequencyPyramid(PyramidConfiguration(grids: [Grid(4), Grid(2)]))
        }
        #expect(throws: ConfigurationError.self) {
            try FrequencyPyramid(
                PyramidConfiguration(grids: [Grid(4)], basis: .cosine, bands: .radialArea))
        }
        let pyramid = try FrequencyPyramid(.octaves([Grid(4), Grid(8)]))
        try pyramid.requireFits(height: 8, width: 8)
        let error = #expect(throws: PyramidMismatch.self) { try pyramid.requireFits(height: 8, width: 12) }
        #expect(error?.description.contains("8×12") == true)
        #expect(throws: PyramidMismatch.self) {
            try pyramid.requireSame(
                as: FrequencyPyramid(.octaves([Grid(2), Grid(8)])), this: "model.safetensors",
                that: "recipe.yaml")
        }
        #expect(throws: PyramidMismatch.self) { try OctavePacking(coarse: Grid(3), fine: Grid(8)) }
    }
}
