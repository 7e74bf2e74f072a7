import Archives
import Backbones
import Denoising
import Images
import Layers
import Recipes
import Tensors
import TestSupport
import Testing

@Suite struct ImageDenoiserTests {
    /// A deterministic picture with structure.
    static func picture(_ width: Int, _ height: Int, channels: Int) -> Image {
        let samples = (0..<width * height * channels).map { index -> UInt16 in
            let (pixel, channel) = (index / channels, index % channels)
            return UInt16(truncatingIfNeeded: 977 * (pixel % width) + 3001 * (pixel / width) + 9973 * channel)
        }
        var image = Image(width: width, height: height, channels: channels, samples: samples)
        image.texts = [ImageText("Author", "nobody")]
        image.exif = Array("II*\0\u{08}\0\0\0\0\0".utf8)
        return image
    }

    static func denoiser(
        _ network: RestorationNetwork, sigma: SigmaChoice? = nil, tiles: TileChoice = TileChoice()
    ) throws -> ImageDenoiser {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "tiny.safetensors")
            try TinyDenoiser.write(network, to: path)
            return try ImageDenoiser(DenoisingModel(path: path), sigma: sigma, tiles: tiles)
        }
    }

    static func words(_ image: Image) -> [UInt16] {
        if case .sixteenBit(let words) = image.samples { words } else { [] }
    }

    @Test(arguments: [
        TinyDenoiser.chain, TinyDenoiser.toldChain, TinyDenoiser.halved, TinyDenoiser.residualU,
    ])
    func `tiles that overlap as far as the network looks leave no seam`(_ network: RestorationNetwork) throws
    {
        let x = Tensor(Self.picture(149, 131, channels: 1), range: .unit).reshaped([1, 131, 149, 1])
        let denoiser = { (tile: Int) in
            try Self.denoiser(
                network, sigma: network.takesNoiseLevel ? .level(20) : nil, tiles: .init(tile: tile))
        }
        let image = Self.picture(149, 131, channels: 1)
        let whole = try #require(try denoiser(0).denoise(image))
        let cut = try #require(try denoiser(32).denoise(image))
        #expect(whole.tileCount == 1 && cut.tileCount >= 16)
        // One level of 65535 is 1.5e-5, and rounding may fall to either side.
        let levels = zip(Self.words(whole.image), Self.words(cut.image)).map { abs(Int($0) - Int($1)) }
        #expect((levels.max() ?? 99) <= 1)

        let restorer = network.makeRestorer(ParameterStore(.initialized(seed: 3), isTracked: false).scope)
        let condition = RestorationCondition(sigma: 20)
        let tiles = MarginTiles(tile: 32, margin: network.receptiveRadius, multiple: network.sizeMultiple)
        let (a, b) = (restorer.restore(x, condition), tiles.apply(x) { restorer.restore($0, condition) })
        for (u, v) in zip(a.scalars, b.scalars) { #expect(abs(u - v) <= 1e-5) }
    }

    @Test(arguments: 1...4) func `depth, alpha, size, texts and EXIF are kept`(_ channels: Int) throws {
        let image = Self.picture(23, 17, channels: channels)
        for network in [TinyDenoiser.chain, TinyDenoiser.colour] {
            let result = try #require(try Self.denoiser(network).denoise(image)).image
            #expect((result.width, result.height, result.channels) == (23, 17, channels))
            #expect(result.bitDepth == 16 && result.texts == image.texts && result.exif == image.exif)
            #expect(result != image)
            guard image.hasAlpha else { continue }
            for pixel in 0..<23 * 17 {
                let alpha = pixel * channels + channels - 1
                #expect(Self.words(result)[alpha] == Self.words(image)[alpha])
            }
        }
    }

    @Test func `a grey model does the channels of a colour image one by one, and says so`() throws {
        let image = Self.picture(20, 13, channels: 3)
        var notes: [String] = []
        let denoiser = try Self.denoiser(TinyDenoiser.chain)
        let result = try #require(try denoiser.denoise(image, onNote: { notes.append($0) })).image
        for channel in 0..<3 {
            let plane = stride(from: channel, to: 20 * 13 * 3, by: 3).map { Self.words(image)[$0] }
            let alone = try #require(
                try denoiser.denoise(Image(width: 20, height: 13, channels: 1, samples: plane))
            ).image
            #expect(
                stride(from: channel, to: 20 * 13 * 3, by: 3).map { Self.words(result)[$0] }
                    == Self.words(alone))
        }
        #expect(notes.count == 1 && notes[0].contains("one by one"))
    }

    static func ensemble(_ network: RestorationNetwork, change: (Tensor) -> Tensor = { $0 }) throws -> (
        whole: ImageDenoiser, single: ImageDenoiser, restorer: any ImageRestorer
    ) {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "tiny.safetensors")
            try TinyDenoiser.write(network, to: path, change: change)
            let model = try DenoisingModel(path: path)
            return (
                try ImageDenoiser(model, sigma: .level(20), isEnsemble: true),
                try ImageDenoiser(model, sigma: .level(20)), try model.makeRestorer(tuning: nil)
            )
        }
    }

    @Test(arguments: [TinyDenoiser.chain, TinyDenoiser.halved]) func `the ensemble is the mean of eight runs`(
        _ network: RestorationNetwork
    ) throws {
        let image = Self.picture(19, 14, channels: 1)
        let (whole, single, restorer) = try Self.ensemble(network)
        let x = Tensor(shape: [1, 14, 19, 1], scalars: Self.words(image).map { Float($0) / 65535 })
        var sums = [Double](repeating: 0, count: x.elementCount)
        for mode in Dihedral.all {
            let turned = restorer.restore(mode.apply(to: x), RestorationCondition(sigma: 20))
            for (index, value) in mode.inverse.apply(to: turned).scalars.enumerated() {
                sums[index] += Double(value) / 8
            }
        }
        let result = Self.words(try #require(try whole.denoise(image)).image)
        for (value, mean) in zip(result, sums) {
            #expect(abs(Double(value) - 65535 * min(max(mean, 0), 1)) <= 1)
        }
        // This network is not the same in all positions, so the mean is none of the runs.
        #expect(result != Self.words(try #require(try single.denoise(image)).image))
    }

    @Test func `the ensemble of a network that treats all directions alike is the network`() throws {
        // Kernels whose taps are all equal look the same from every side.
        let (whole, single, _) = try Self.ensemble(TinyDenoiser.chain) { tensor in
            guard tensor.shape.rank == 4 else { return tensor }
            let taps = tensor.shape[2] * tensor.shape[3]
            let scalars = tensor.scalars
            return Tensor(
                shape: tensor.shape, scalars: scalars.indices.map { scalars[$0 / taps * taps] })
        }
        let image = Self.picture(19, 14, channels: 1)
        let (a, b) = (try #require(try whole.denoise(image)), try #require(try single.denoise(image)))
        #expect(a.image != image)
        for (u, v) in zip(Self.words(a.image), Self.words(b.image)) { #expect(abs(Int(u) - Int(v)) <= 1) }
    }

    @Test func `a constant map of σ is that σ, and another size is refused`() throws {
        try withTemporaryFolder { folder in
            let path = joinPath(folder, "map.png")
            try Image(width: 30, height: 22, color: [40]).write(to: path)
            let image = Self.picture(30, 22, channels: 1)
            for network in [TinyDenoiser.toldChain, TinyDenoiser.halved, TinyDenoiser.residualU] {
                let mapped = try Self.denoiser(network, sigma: .map(path: path)).denoise(image)
                let level = try Self.denoiser(network, sigma: .level(40)).denoise(image)
                let pairs = zip(Self.words(try #require(mapped).image), Self.words(try #require(level).image))
                #expect(pairs.allSatisfy { abs(Int($0) - Int($1)) <= 1 })
            }
            #expect(throws: DenoisingError.self) {
                try Self.denoiser(TinyDenoiser.halved, sigma: .map(path: path))
                    .denoise(Self.picture(22, 30, channels: 1))
            }
        }
    }

    @Test func `σ outside of what was trained for is noted`() throws {
        var notes: [String] = []
        let denoiser = try Self.denoiser(TinyDenoiser.halved, sigma: .level(120))
        _ = try denoiser.denoise(Self.picture(16, 16, channels: 1), onNote: { notes.append($0) })
        #expect(notes == ["σ is 120.0, and the model was trained for 0…75: expect a poor result"])
    }

    @Test(arguments: [5.0, 25, 50]) func `the estimator finds the noise that was added`(_ sigma: Double)
        throws
    {
        let (height, width) = (96, 128)
        let noise = CounterNoise(seed: 9).normals(height: height, width: width, channels: 1)
        let values = noise.enumerated().map { index, n -> Float in
            let (y, x) = (Double(index / width), Double(index % width))
            let clean = 0.4 + 0.3 * (x / 128) + (Int(y) / 24 % 2 == 0 ? 0.1 : -0.1)
            return Float(clean + sigma / 255 * n)
        }
        let window = Tensor(shape: [1, height, width, 1], scalars: values)
        let found = try #require(try NoiseEstimator.sigma(of: [window]))
        #expect(abs(found - sigma) < 0.08 * sigma, "\(found)")
        let small = Tensor.zeros([1, 9, 9, 1])
        #expect(try NoiseEstimator.sigma(of: [small]) == nil)
    }

    @Test func `any part of the specified noise is the whole's`() {
        let noise = CounterNoise(seed: 1_000_000)
        let whole = noise.normals(41)
        for range in [0..<41, 1..<2, 7..<20, 8..<21, 40..<41, 5..<5] {
            #expect(noise.normals(range) == Array(whole[range]))
        }
    }
}
