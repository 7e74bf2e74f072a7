import Layers
import Tensors
import TestSupport
import Testing

@Suite struct KernelTests {
    let random = RandomStream(seed: 21)

    private func layer(_ kernel: ConvolutionKernel, size: Int = 3, groups: Int = 1, isTracked: Bool = true)
        -> (
            Convolution, ParameterStore
        )
    {
        let store = ParameterStore(.initialized(seed: 2), isTracked: isTracked)
        let layer = Convolution(
            store.scope, 4, 6, kernel: size, groups: groups, form: kernel,
            weight: .normal(standardDeviation: 0.5),
            bias: .normal(standardDeviation: 1))
        return (layer, store)
    }

    @Test(arguments: [[], [0.7], [0.2, 0.8], [0.25, 0.15, 0.55]] as [[Float]])
    func `a weighted kernel is a standard one with the product as its weights`(_ coefficients: [Float]) throws
    {
        for isTrainable in [false, true] {
            let density = KernelDensity(coefficients, isTrainable: isTrainable)
            let (weighted, store) = layer(.weighted(density), size: density.kernelSize, groups: 2)
            let parameters = Dictionary(
                uniqueKeysWithValues: (store.all + store.buffers).map { ($0.name, $0.tensor) })
            let folded = ConvolutionKernel.foldingDensities(parameters)
            #expect(Set(folded.keys) == ["weight", "bias"])
            let plain = ParameterStore(.loaded(folded), isTracked: false)
            let standard = Convolution(plain.scope, 4, 6, kernel: density.kernelSize, groups: 2)
            try plain.validate()
            let x = random.normals([3, 8, 5, 4])
            for (a, b) in zip(weighted(x).scalars, standard(x).scalars) { #expect(abs(a - b) < 1e-5) }
        }
    }

    @Test func `a density of ones changes nothing`() {
        let (weighted, _) = layer(.weighted(KernelDensity([1, 1])), size: 5)
        let (standard, _) = layer(.standard, size: 5)
        let x = random.normals([1, 6, 7, 4])
        #expect(weighted(x).scalars == standard(x).scalars)
    }

    @Test func `a density applies to kernels of its size only`() {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = Convolution(
            store.scope / "a", 2, 3, kernel: 3, form: .weighted(KernelDensity([0.7], isTrainable: true)))
        _ = Convolution(
            store.scope / "b", 2, 3, kernel: 1, form: .weighted(KernelDensity([0.7], isTrainable: true)))
        #expect(store.shapes.map(\.name) == ["a.weight", "a.bias", "a.den", "b.weight", "b.bias"])
    }

    @Test(arguments: [KernelMixing(parameterCount: 2), KernelMixing(parameterCount: 3, expansion: 2)])
    func `one setting for all samples is the same setting for each`(_ mixing: KernelMixing) {
        let (tunable, _) = layer(.tunable(mixing))
        let x = random.normals([3, 5, 4, 4])
        let one = random.stream(1).uniforms([1, mixing.parameterCount])
        let each = Tensor(
            shape: [3, mixing.parameterCount], scalars: one.scalars + one.scalars + one.scalars)
        for (a, b) in zip(tunable(x, tuning: one).scalars, tunable(x, tuning: each).scalars) {
            #expect(abs(a - b) < 1e-5)
        }
    }

    @Test func `a fresh tunable kernel at a vertex is one of its kernels`() {
        let (tunable, store) = layer(.tunable(KernelMixing(parameterCount: 2)))
        let x = random.normals([1, 5, 4, 4])
        let weight = store["weight"]?.detached.reshaped([2, 6 * 4 * 9]) ?? .zeros([0])
        let bias = store["bias"]?.detached.reshaped([2, 6]) ?? .zeros([0])
        for vertex in 0..<2 {
            let tuning = Tensor(shape: [1, 2], scalars: vertex == 0 ? [1, 0] : [0, 1])
            let one = vertex..<vertex + 1
            let expected = x.convolved(
                with: weight.samples(one).reshaped([6, 4, 3, 3]), bias: bias.samples(one).reshaped([6]),
                padding: 1)
            for (a, b) in zip(tunable(x, tuning: tuning).scalars, expected.scalars) {
                #expect(abs(a - b) < 1e-5)
            }
        }
    }

    @Test(arguments: [[4, 3, 3, 3], [6, 2, 1, 1], [30, 2, 3, 3]] as [Shape])
    func `orthogonal weights have orthonormal rows or columns`(_ shape: Shape) {
        let store = ParameterStore(.initialized(seed: 5), isTracked: false)
        let w = store.scope.parameter("w", shape, .orthogonal(gain: 2)).reshaped([
            shape[0], shape.elementCount / shape[0],
        ])
        let isWide = w.shape[0] <= w.shape[1]
        let gram =
            isWide
            ? w.linear(w)
            : w.reshaped([1, w.shape[0], w.shape[1], 1]).transposedPixels
                .reshaped([w.shape[1], w.shape[0]]).multiplied(by: w)
        let n = gram.shape[0]
        for i in 0..<n { for j in 0..<n { #expect(abs(gram.scalars[i * n + j] - (i == j ? 4 : 0)) < 1e-4) } }
    }
}

@Suite struct BatchNormTests {
    @Test func `training moves the running statistics by the momentum`() {
        let store = ParameterStore(.initialized(seed: 1), isTracked: true)
        let norm = BatchNorm(store.scope, channels: 2, momentum: 0.25)
        let x = Tensor(shape: [1, 1, 4, 2], scalars: [1, 10, 2, 10, 3, 10, 6, 14])
        _ = norm(x, isTraining: true)
        // Means 3 and 11; unbiased variances 14/3 and 4.
        let expectedMean: [Float] = [0.75, 2.75]
        let expectedVariance: [Float] = [0.75 + 0.25 * 14 / 3, 0.75 + 0.25 * 4]
        for c in 0..<2 {
            #expect(abs(norm.runningMean.scalars[c] - expectedMean[c]) < 1e-6)
            #expect(abs(norm.runningVariance.scalars[c] - expectedVariance[c]) < 1e-6)
        }
        #expect(store.buffers.map(\.name) == ["running_mean", "running_var", "num_batches_tracked"])
        #expect(store.buffers.last?.tensor.item == 1)
        #expect(store.all.map(\.name) == ["weight", "bias"])
    }

    @Test func `a checkpoint without the batch count is accepted, one without statistics is not`() throws {
        let values: [String: Tensor] = [
            "weight": .zeros([3]), "bias": .zeros([3]), "running_mean": .zeros([3]),
            "running_var": .zeros([3]),
        ]
        let store = ParameterStore(.loaded(values), isTracked: false)
        _ = BatchNorm(store.scope, channels: 3)
        try store.validate()
        let lacking = ParameterStore(.loaded(values.filter { $0.key != "running_mean" }), isTracked: false)
        _ = BatchNorm(lacking.scope, channels: 3)
        #expect(throws: ParameterMismatch(missing: ["running_mean"], unexpected: [], misshapen: [])) {
            try lacking.validate()
        }
    }
}
