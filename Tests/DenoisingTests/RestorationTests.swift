import Denoising
import Tensors
import TestSupport
import Testing

@Suite struct RestorationLossTests {
    let random = RandomStream(seed: 31)

    @Test(arguments: [
        RestorationLoss.l2, .halfSquaredSum, .charbonnier(epsilon: 0.1), .psnr, .psnrLuma, .l1,
    ]) func `gradients reach prediction and target`(_ loss: RestorationLoss) {
        for shape in [[1, 3, 5, 3], [3, 2, 3, 3]] as [Shape] {
            // Apart by more than the steps of the differences, on either side.
            let target = random.stream(1).normals(shape)
            let signs = random.stream(2).normals(shape).scalars.map { Float($0 > 0 ? 1 : -1) }
            let prediction = target + Tensor(shape: shape, scalars: signs) * 0.5
            expectDerivative(of: { loss.perSample($0[0], $0[1]) }, at: [prediction, target])
        }
    }

    @Test func `the PSNR loss is minus the PSNR`() {
        let target = Tensor(repeating: 0.5, shape: [2, 4, 4, 1])
        let loss = RestorationLoss.psnr(target + 0.1, target)
        #expect(abs(loss.item + 20) < 1e-3)
    }

    @Test func `sums and means`() {
        let (a, b) = (Tensor(repeating: 3, shape: [2, 2, 2, 1]), Tensor(repeating: 1, shape: [2, 2, 2, 1]))
        #expect(RestorationLoss.l1(a, b).item == 2)
        #expect(RestorationLoss.l2(a, b).item == 4)
        #expect(RestorationLoss.halfSquaredSum(a, b).item == 16)
    }

    @Test func `strength is drawn between its ends and at them`() {
        let draws = (0..<2000).map { ParametricLoss.drawStrength(random.stream(UInt64($0))) }
        #expect(draws.allSatisfy { abs($0[0] + $0[1] - 1) < 1e-6 && (0...1).contains($0[0]) })
        for end in [Float(0), 1] {
            let share = Double(draws.filter { $0[0] == end }.count) / 2000
            #expect(abs(share - 0.1) < 0.03)
        }
    }
}

@Suite struct DihedralTests {
    let x = RandomStream(seed: 1).normals([2, 3, 5, 2])

    @Test(arguments: Dihedral.all) func `inverses undo`(_ mode: Dihedral) {
        let y = mode.apply(to: x)
        #expect(y.shape == (mode.quarterTurns % 2 == 0 ? [2, 3, 5, 2] : [2, 5, 3, 2]))
        #expect(mode.inverse.apply(to: y).scalars == x.scalars)
    }

    @Test func `there are eight, in either count`() {
        #expect(Set(Dihedral.kair).count == 8)
        #expect(Set(Dihedral.kair) == Set(Dihedral.dncnnPyTorch))
    }

    @Test func `the ensemble of an equivariant function is the function`() {
        let y = Dihedral.ensemble(x) { $0 * 2 }
        for (a, b) in zip(y.scalars, x.scalars) { #expect(abs(a - 2 * b) < 1e-6) }
    }
}

@Suite struct TileTests {
    let x = RandomStream(seed: 4).normals([2, 23, 37, 2])

    @Test(arguments: [(8, 8), (23, 37), (50, 10), (5, 36)]) func `tiles cover the image and average to it`(
        _ height: Int, _ width: Int
    ) {
        let grid = TileGrid(height: 23, width: 37, tileHeight: height, tileWidth: width)
        let y = grid.apply(x) { $0 * 3 }
        for (a, b) in zip(y.scalars, x.scalars) { #expect(abs(a - 3 * b) < 1e-5) }
        #expect(grid.origins.allSatisfy { $0.y + grid.tileHeight <= 23 && $0.x + grid.tileWidth <= 37 })
    }

    /// A mean over 5×5 sees two pixels around.
    private static func blur(_ x: Tensor) -> Tensor {
        x.padded(top: 2, left: 2, bottom: 2, right: 2).boxMean(kernelHeight: 5, kernelWidth: 5)
    }

    @Test(arguments: [4, 9]) func `quarters cover the image`(_ field: Int) {
        let y = TestModes.quartered(x, receptiveField: field, smallest: 8) { $0 * 3 }
        for (a, b) in zip(y.scalars, x.scalars) { #expect(abs(a - 3 * b) < 1e-5) }
    }

    @Test func `quarters whose overlap is wide enough give the whole`() {
        // Middle 12, quarters of 18: six pixels beyond it.
        let image = RandomStream(seed: 6).normals([1, 24, 24, 2])
        let y = TestModes.quartered(image, receptiveField: 9, smallest: 12, Self.blur)
        for (a, b) in zip(y.scalars, Self.blur(image).scalars) { #expect(abs(a - b) < 1e-6) }
    }

    @Test(arguments: [(8, 2, 1), (5, 3, 1), (10, 4, 4), (64, 2, 1), (1, 2, 1)])
    func `tiles with a margin as wide as the receptive field give the whole`(
        _ tile: Int, _ margin: Int, _ multiple: Int
    ) {
        let tiles = MarginTiles(tile: tile, margin: margin, multiple: multiple)
        var largest = 0
        let y = tiles.apply(x) {
            largest = max(largest, $0.shape[1], $0.shape[2])
            return Self.blur($0)
        }
        for (a, b) in zip(y.scalars, Self.blur(x).scalars) { #expect(abs(a - b) < 1e-6) }
        #expect(largest <= (tile + 2 * margin + 3 * multiple) || tile >= 37)
    }

    @Test func `padding to multiples is cut away again`() {
        var seen: Shape = []
        let y = TestModes.padded(x, toMultiplesOf: 16) {
            seen = $0.shape
            return $0
        }
        #expect(seen == [2, 32, 48, 2])
        #expect(y.scalars == x.scalars)
    }
}

@Suite struct NoiseModelTests {
    static let models: [NoiseModel] = [
        .gaussian(sigma: Interval(25)), .gaussian(sigma: Interval(0, 55)),
        .gaussianField(sigma: Interval(5, 50)),
        .poisson(exponent: Interval(2, 4)), .poisson(exponent: Interval(0.5)),
        .poissonGaussian(a: Interval(0.01), b: Interval(0.0005)), .camera(.unprocessing), .camera(.sidd),
    ]
    let streams = (0..<3).map { RandomStream(seed: 77).stream(UInt64($0)) }

    @Test(arguments: models) func `the noise has mean zero and the level stated`(_ model: NoiseModel) {
        let clean = Tensor(repeating: 0.4, shape: [3, 96, 90, 2])
        let noisy = model.apply(to: clean, streams)
        let values = (noisy.images - clean).scalars.map(Double.init)
        let levels = noisy.level.scalars.map(Double.init)
        let (size, pixels) = (96 * 90 * 2, 96 * 90)
        for n in 0..<3 {
            let own = values[n * size..<(n + 1) * size]
            let variance =
                levels.count == 3
                ? levels[n] * levels[n]
                : levels[n * pixels..<(n + 1) * pixels].reduce(0) { $0 + $1 * $1 } / Double(pixels)
            let mean = own.reduce(0, +) / Double(size)
            let found = own.reduce(0) { $0 + $1 * $1 } / Double(size)
            #expect(abs(mean) < 4 * (variance / Double(size)).squareRoot() + 1e-6)
            #expect(abs(found / variance - 1) < 0.06)
        }
    }

    @Test(arguments: models) func `an image's noise does not depend on its batch`(_ model: NoiseModel) {
        let clean = RandomStream(seed: 5).uniforms([3, 7, 9, 1])
        let all = model.apply(to: clean, streams)
        let one = model.apply(to: clean.samples(1..<2), [streams[1]])
        #expect(all.images.samples(1..<2).scalars == one.images.scalars)
        #expect(all.level.samples(1..<2).scalars == one.level.scalars)
    }

    @Test func `photon counts are whole numbers`() {
        let clean = RandomStream(seed: 5).uniforms([1, 20, 20, 1])
        let photons = Float(100)
        let noisy = NoiseModel.poisson(exponent: Interval(2)).apply(to: clean, [streams[0]]).images
        for value in noisy.scalars { #expect(abs((value * photons).rounded() - value * photons) < 1e-3) }
    }
}
