import Backbones
import Layers
import Tensors
import TestSupport
import Testing

/// DiCo told the level of the noise.
@Suite struct DiCoDenoiserTests {
    static func configuration(patchSize: Int = 2) -> DiCoConfiguration {
        DiCoConfiguration(
            inputChannels: 2, hiddenSize: 4, depth: [1, 1, 1, 1, 1], classCount: 0, classDropout: 0,
            learnSigma: false, patchSize: patchSize)
    }

    /// With normal numbers everywhere, so that nothing is zero as in a fresh model.
    static func denoiser(_ configuration: DiCoConfiguration) -> DiCoDenoiser {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let denoiser = DiCoDenoiser(store.scope, configuration)
        for (name, tensor) in store.all {
            tensor.assign(RandomStream(seed: 2).stream(named: name).normals(tensor.shape) * 0.3)
        }
        return denoiser
    }

    @Test(arguments: [1, 2, 4]) func `any size keeps its shape and is finite`(_ patchSize: Int) {
        let denoiser = Self.denoiser(Self.configuration(patchSize: patchSize))
        for (h, w) in [(1, 1), (2, 9), (17, 16), (33, 5)] {
            let x = RandomStream(seed: 3).uniforms([2, h, w, 2])
            let y = denoiser.restore(x, RestorationCondition(sigma: 25, imageCount: 2))
            #expect(y.shape == x.shape)
            #expect(y.nonFiniteCount == 0 && y.scalars != x.scalars)
        }
    }

    @Test func `padding mirrors the image: a padded one is the mirrored one's part`() {
        let denoiser = Self.denoiser(Self.configuration())
        let x = RandomStream(seed: 3).uniforms([1, 13, 10, 2])
        let mirrored = x.padded(bottom: 3, right: 6, mode: .reflect)
        let condition = RestorationCondition(sigma: 25)
        let whole = denoiser.restore(mirrored, condition).cropped(rows: 0..<13, columns: 0..<10)
        for (a, b) in zip(denoiser.restore(x, condition).scalars, whole.scalars) {
            #expect(abs(a - b) < 1e-6)
        }
    }

    @Test func `σ reaches the estimate of the noise, image by image`() {
        let denoiser = Self.denoiser(Self.configuration())
        let x = RandomStream(seed: 3).uniforms([1, 8, 8, 2])
        /// The noise in units of its deviation.
        func estimate(_ sigma: Float) -> [Float] {
            ((x - denoiser.restore(x, RestorationCondition(sigma: sigma))) / (sigma / 255)).scalars
        }
        let change = zip(estimate(10), estimate(50)).map { abs($0 - $1) }.max() ?? 0
        #expect(change > 0.01)

        let both = Tensor.concatenateSamples([x, x])
        let levels = Tensor(shape: [2, 1], scalars: [10 / 255, 50 / 255])
        let y = denoiser.restore(both, RestorationCondition(noiseLevel: levels))
        for (index, sigma) in [Float(10), 50].enumerated() {
            let alone = denoiser.restore(x, RestorationCondition(sigma: sigma))
            for (a, b) in zip(y.samples(index..<index + 1).scalars, alone.scalars) {
                #expect(abs(a - b) < 1e-5)
            }
        }
    }

    @Test func `without noise, and before training, the image comes back`() {
        let x = RandomStream(seed: 3).uniforms([1, 9, 7, 2])
        let trained = Self.denoiser(Self.configuration())
        #expect(trained.restore(x, RestorationCondition(sigma: 0)).scalars == x.scalars)
        let fresh = DiCoDenoiser(
            ParameterStore(.initialized(seed: 1), isTracked: false).scope, Self.configuration())
        #expect(fresh.restore(x, RestorationCondition(sigma: 25)).scalars == x.scalars)
    }

    @Test func `a map counts as its root mean square`() {
        let denoiser = Self.denoiser(Self.configuration())
        let x = RandomStream(seed: 3).uniforms([1, 4, 4, 2])
        let map = Tensor(shape: [1, 4, 4, 1], scalars: (0..<16).map { $0 % 2 == 0 ? 0.03 : 0.04 })
        let level = Tensor(shape: [1, 1], scalars: [(Float(0.03 * 0.03 + 0.04 * 0.04) / 2).squareRoot()])
        let (a, b) = (
            denoiser.restore(x, RestorationCondition(noiseLevel: map)),
            denoiser.restore(x, RestorationCondition(noiseLevel: level))
        )
        for (a, b) in zip(a.scalars, b.scalars) { #expect(abs(a - b) < 1e-5) }
    }

    @Test func `local means make far pixels matter less, and change nothing at the training's size`() {
        var local = Self.configuration(patchSize: 1)
        let global = Self.denoiser(local)
        local.localTrainingSize = [8, 8]
        let denoiser = Self.denoiser(local)
        let condition = RestorationCondition(sigma: 25)
        let small = RandomStream(seed: 3).uniforms([1, 8, 8, 2])
        for (a, b) in zip(
            denoiser.restore(small, condition).scalars, global.restore(small, condition).scalars)
        {
            #expect(abs(a - b) < 1e-6)
        }
        // Beyond all convolutions and boxes of a network of five blocks.
        let wide = RandomStream(seed: 4).uniforms([1, 8, 256, 2])
        let changed = Tensor.concatenateSamples([wide]).copied
        changed.withMutableScalars { scalars in
            for row in 0..<8 { scalars[row * 512 + 511] += 0.5 }
        }
        func firstColumnMoves(_ restorer: DiCoDenoiser) -> Float {
            let (a, b) = (restorer.restore(wide, condition), restorer.restore(changed, condition))
            return zip(
                a.cropped(rows: 0..<8, columns: 0..<1).scalars, b.cropped(rows: 0..<8, columns: 0..<1).scalars
            ).map { abs($0 - $1) }.max() ?? 0
        }
        #expect(firstColumnMoves(denoiser) == 0)
        #expect(firstColumnMoves(global) > 0)
    }

    @Test func `a generator is no denoiser`() {
        var configuration = Self.configuration()
        configuration.classCount = 3
        #expect(throws: ConfigurationError.self) { try configuration.validateDenoiser() }
        configuration = Self.configuration()
        configuration.learnSigma = true
        #expect(throws: ConfigurationError.self) { try configuration.validateDenoiser() }
    }
}

/// DiCo's block with every kernel.
@Suite struct DiCoBlockKernelTests {
    static let kernels: [ConvolutionKernel] = [
        .standard, .weighted(KernelDensity([0.7])), .weighted(KernelDensity([1.1], isTrainable: true)),
        .tunable(KernelMixing(parameterCount: 2, expansion: 2)),
        .tunable(KernelMixing(parameterCount: 2, rule: .linear)),
    ]

    static func block(_ kernel: ConvolutionKernel) -> (DiCoBlock, ParameterStore) {
        let store = ParameterStore(.initialized(seed: 1), isTracked: true)
        let block = DiCoBlock(store.scope, channels: 4, mlpRatio: 2, kernel: kernel)
        for (name, tensor) in store.all where !name.hasSuffix(".den") {
            tensor.assign(RandomStream(seed: 2).stream(named: name).normals(tensor.shape) * 0.4)
        }
        return (block, store)
    }

    let random = RandomStream(seed: 9)

    @Test(arguments: kernels) func `inputs have their numerical gradient`(_ kernel: ConvolutionKernel) {
        let (block, _) = Self.block(kernel)
        var inputs = [random.normals([2, 3, 5, 4]), random.stream(1).normals([2, 4])]
        if kernel.tuningCount > 0 { inputs.append(random.stream(2).uniforms([2, 2])) }
        expectDerivative(
            of: { block($0[0], condition: $0[1], tuning: $0.count > 2 ? $0[2] : nil) }, at: inputs,
            step: 1 / 128,
            within: 4e-3, elements: 16)
    }

    @Test(arguments: kernels) func `parameters have their numerical gradient`(_ kernel: ConvolutionKernel) {
        let (block, store) = Self.block(kernel)
        let (x, c) = (random.normals([2, 3, 5, 4]), random.stream(1).normals([2, 4]))
        let tuning = kernel.tuningCount > 0 ? random.stream(2).uniforms([2, 2]) : nil
        let cotangent = random.stream(3).normals(x.shape)
        func value() -> Double {
            zip(block(x, condition: c, tuning: tuning).scalars, cotangent.scalars)
                .reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let gradients = block(x, condition: c, tuning: tuning).gradients(cotangent: cotangent)
        for (name, tensor) in store.all {
            let (start, direction) = (
                tensor.detached.copied, random.stream(named: name).normals(tensor.shape)
            )
            func moved(_ distance: Float) -> Double {
                tensor.assign(start + direction * distance)
                return value()
            }
            let h: Float = 1 / 128
            let numeric = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / Double(12 * h)
            tensor.assign(start)
            let analytic = gradients[tensor].map { Double(Tensor.dot($0, direction)) } ?? 0
            #expect(abs(numeric - analytic) < 2e-3 * abs(analytic) + 5e-3, "\(name): \(analytic), \(numeric)")
            #expect(analytic != 0, "\(name)")
        }
    }

    @Test(arguments: [[0.7], [1.1]] as [[Float]]) func `a generator's densities fold into its weights`(
        _ density: [Float]
    ) throws {
        var configuration = DiCoConfiguration(
            inputChannels: 3, hiddenSize: 4, depth: [1, 0, 1, 0, 1], classCount: 2)
        for isTrainable in [false, true] {
            configuration.kernel = .weighted(KernelDensity(density, isTrainable: isTrainable))
            let store = ParameterStore(.initialized(seed: 1), isTracked: false)
            let model = DiCo(store.scope, configuration)
            for (name, tensor) in store.all where !name.hasSuffix(".den") {
                tensor.assign(RandomStream(seed: 2).stream(named: name).normals(tensor.shape) * 0.3)
            }
            let weights = (store.all + store.buffers).map { ($0.name, $0.tensor) }
            let (plain, folded) = configuration.folded(Dictionary(weights) { first, _ in first })
            #expect(plain.kernel == .standard)
            let foldedStore = ParameterStore(.loaded(folded), isTracked: false)
            let foldedModel = DiCo(foldedStore.scope, plain)
            try foldedStore.validate()
            let x = random.normals([2, 8, 4, 3])
            let (a, b) = (
                model.predict(x, time: [3, 700], labels: [1, nil]),
                foldedModel.predict(x, time: [3, 700], labels: [1, nil])
            )
            for (a, b) in zip(a.scalars, b.scalars) { #expect(abs(a - b) < 1e-4) }
        }
    }
}
