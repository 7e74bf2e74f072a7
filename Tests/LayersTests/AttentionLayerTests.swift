import Tensors
import TestSupport
import Testing

@testable import Layers

@Suite struct AttentionLayerTests {
    let random = RandomStream(seed: 5)

    private func normals(_ shape: Shape, _ stream: UInt64) -> Tensor { random.stream(stream).normals(shape) }

    private func linear(_ change: (inout LinearAttentionConfiguration) -> Void = { _ in })
        -> LinearAttentionConfiguration
    {
        var configuration = LinearAttentionConfiguration(heads: 2)
        change(&configuration)
        return configuration
    }

    /// Every mixer there is, for a sequence of two leading tokens and a 3×5 grid.
    private func everyMixer() -> [TokenMixerConfiguration] {
        var result: [TokenMixerConfiguration] = [
            .softmax(heads: 2), .softmax(heads: 2, normalizesQueriesAndKeys: true),
            .mediator(heads: 2, count: 4),
        ]
        for normalization in AttentionNormalization.allCases {
            for kernel in KernelFunction.allCases {
                result.append(
                    .linear(linear { ($0.normalization, $0.kernelFunction) = (normalization, kernel) }))
            }
            for locality in AttentionLocality.allCases {
                result.append(.linear(linear { ($0.normalization, $0.locality) = (normalization, locality) }))
            }
            for gate in GateKind.allCases where gate != .splitKeys || normalization == .division {
                result.append(
                    .linear(
                        linear {
                            ($0.normalization, $0.gate) = (normalization, gate)
                            $0.gateTable = GateTable(prefix: 2, height: 2, width: 4, fit: .interpolated)
                            $0.hasOutputGate = gate == .shared
                            $0.separatesQueries = gate == .keys
                        }))
            }
        }
        return result
    }

    @Test func `every mixer is finite, reaches its parameters and treats samples apart`() throws {
        let layout = TokenLayout(prefix: 2, grid: TokenGrid(3, 5))
        for configuration in everyMixer() {
            try configuration.validate(width: 8)
            let store = ParameterStore(.initialized(seed: 3), isTracked: true)
            let mixer = configuration.makeMixer(store.scope, width: 8)
            let x = normals([3, 17, 8], 1).variable
            let y = mixer(x, layout: layout, rotation: nil)
            #expect(y.shape == x.shape && y.nonFiniteCount == 0, "\(configuration)")
            let alone = mixer(x.samples(1..<2), layout: layout, rotation: nil)
            let difference = zip(alone.scalars, y.samples(1..<2).scalars).map { abs($0 - $1) }.max() ?? 1
            #expect(difference < 1e-5, "\(configuration): \(difference)")
            let gradients = y.gradients(cotangent: normals(y.shape, 2))
            #expect(gradients[x]?.nonFiniteCount == 0, "\(configuration)")
            for (name, parameter) in store.all where !name.hasPrefix("residual") {
                #expect(gradients[parameter]?.nonFiniteCount == 0, "\(configuration): \(name)")
            }
        }
    }

    @Test(arguments: [(1, 2, 3), (3, 5, 4), (2, 1, 7)])
    func `a mixer takes feature maps of any size`(_ samples: Int, _ height: Int, _ width: Int) {
        let configuration = linear {
            $0.locality = .depthwise
            $0.gate = .keysAndValues
            $0.gateTable = GateTable(height: 4, width: 4, fit: .interpolated)
        }
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let seat = TokenMixerSeat(LinearAttention(store.scope, width: 6, configuration))
        let y = seat(normals([samples, height, width, 6], 1))
        #expect(y.shape == [samples, height, width, 6])
        #expect(y.nonFiniteCount == 0)
    }

    @Test func `without convolution and gate the order of tokens does not matter`() {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let order = random.permutation(count: 9)
        let x = normals([1, 9, 8], 3)
        for mixer in [TokenMixerConfiguration.linear(linear()), .softmax(heads: 2)] {
            let apply = mixer.makeMixer(store.scope / "\(mixer)", width: 8)
            let straight = apply(x, layout: TokenLayout(), rotation: nil).gatheringTokens([order])
            let shuffled = apply(x.gatheringTokens([order]), layout: TokenLayout(), rotation: nil)
            #expect(zip(straight.scalars, shuffled.scalars).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    @Test func `a gate on its own grid is used as it is, on another it is resized`() {
        let map = normals([2, 3, 4], 1)
        #expect(PositionGate.resize(map, to: TokenGrid(3, 4)).scalars == map.scalars)
        let constant = PositionGate.resize(Tensor(repeating: 1.5, shape: [2, 3, 4]), to: TokenGrid(7, 5))
        #expect(constant.shape == [2, 7, 5])
        #expect(constant.scalars.allSatisfy { abs($0 - 1.5) < 1e-6 })
        let doubled = PositionGate.resize(Tensor(shape: [1, 1, 2], scalars: [0, 4]), to: TokenGrid(1, 4))
        #expect(doubled.scalars == [0, 1, 3, 4])
        expectDerivative(of: { PositionGate.resize($0[0], to: TokenGrid(2, 7)) }, at: [map])
    }

    @Test(arguments: [
        (GateTable(prefix: 4, height: 4, width: 4), TokenLayout(prefix: 4, grid: TokenGrid(4, 4)), true),
        (GateTable(prefix: 4, height: 4, width: 4), TokenLayout(prefix: 4, grid: TokenGrid(5, 4)), false),
        (GateTable(prefix: 4, height: 4, width: 4), TokenLayout(prefix: 4, grid: nil), false),
        (
            GateTable(prefix: 30, height: 0, width: 0, fit: .first),
            TokenLayout(prefix: 4, grid: TokenGrid(5, 5)), true
        ),
        (
            GateTable(prefix: 30, height: 0, width: 0, fit: .first),
            TokenLayout(prefix: 4, grid: TokenGrid(6, 5)), false
        ),
        (GateTable(height: 4, width: 4, fit: .interpolated), TokenLayout(grid: TokenGrid(9, 2)), true),
        (
            GateTable(height: 4, width: 4, fit: .interpolated), TokenLayout(prefix: 1, grid: TokenGrid(4, 4)),
            false
        ),
    ])
    func `a gate says which sequences it serves`(_ table: GateTable, _ layout: TokenLayout, _ fits: Bool) {
        if fits {
            #expect(throws: Never.self) { try table.check(layout) }
        } else {
            #expect(throws: ConfigurationError.self) { try table.check(layout) }
        }
    }

    @Test func `the error of a gate names both sides`() {
        let error = #expect(throws: ConfigurationError.self) {
            try GateTable(prefix: 4, height: 4, width: 4).check(TokenLayout(prefix: 4, grid: TokenGrid(8, 8)))
        }
        #expect(
            error?.description
                == "gate must be made for the sequence: it has 4 leading and 4×4 image tokens (exact), the sequence 4 and 8×8"
        )
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30, -1e30, 0])
    func `exploding and vanishing gates stay finite`(_ factor: Float) {
        for kind in [GateKind.keysAndValues, .splitKeys, .shared] {
            let configuration = linear {
                $0.gate = kind
                $0.gateTable = GateTable(height: 3, width: 3)
            }
            let shapes = ParameterStore(.initialized(seed: 1), isTracked: false)
            _ = LinearAttention(shapes.scope, width: 8, configuration)
            var tensors = Dictionary(uniqueKeysWithValues: shapes.all.map { ($0.name, $0.tensor) })
            for (name, tensor) in tensors where name.contains("_scale") {
                tensors[name] = Tensor(repeating: factor, shape: tensor.shape)
            }
            let store = ParameterStore(.loaded(tensors), isTracked: true)
            let mixer = LinearAttention(store.scope, width: 8, configuration)
            let x = normals([1, 9, 8], 2).variable
            let y = mixer(x, layout: TokenLayout(grid: TokenGrid(3, 3)), rotation: nil)
            #expect(y.nonFiniteCount == 0, "\(kind)")
            let gradients = y.gradients(cotangent: normals(y.shape, 3))
            #expect(gradients[x]?.nonFiniteCount == 0, "\(kind)")
            for (name, tensor) in store.all {
                #expect((gradients[tensor]?.nonFiniteCount ?? 0) == 0, "\(name)")
            }
        }
    }

    @Test func `inputs of any size give finite values and derivatives`() {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let mixer = LinearAttention(store.scope, width: 8, linear())
        for step in 0..<60 {
            let x = (normals([2, 5, 8], UInt64(step)) * [Float(0), 1e-20, 1e-3, 1, 1e3, 1e8][step % 6])
                .variable
            let y = mixer(x, layout: TokenLayout(), rotation: nil)
            #expect(y.nonFiniteCount == 0, "step \(step)")
            let gradient = y.gradients(cotangent: normals(y.shape, 1000 + UInt64(step)))[x]
            #expect(gradient?.nonFiniteCount == 0, "step \(step)")
        }
    }

    @Test func `settings that cannot be are named`() {
        var configuration = linear { $0.heads = 3 }
        #expect(throws: ConfigurationError(field: "heads", demand: "a divisor of the width 8, found 3")) {
            try configuration.validate(width: 8)
        }
        configuration = linear { $0.gate = .keys }
        #expect(
            throws: ConfigurationError(field: "gateTable", demand: "given for a gate with stored factors")
        ) {
            try configuration.validate(width: 8)
        }
        configuration = linear { ($0.gate, $0.normalization) = (.splitKeys, .subtraction) }
        #expect(throws: ConfigurationError.self) { try configuration.validate(width: 8) }
        configuration = linear { $0.convolutionSize = 4 }
        #expect(throws: ConfigurationError(field: "convolutionSize", demand: "odd, found 4")) {
            try configuration.validate(width: 8)
        }
        #expect(throws: ConfigurationError.self) {
            try TokenMixerConfiguration.softmax(heads: 3).validate(width: 8)
        }
    }

    @Test(arguments: [(1, 4, 3, 6), (3, 2, 2, 8)]) func `group norm equals its formula`(
        _ samples: Int, _ height: Int, _ width: Int, _ channels: Int
    ) {
        let x = normals([samples, height, width, channels], 1) * 3 + 50
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        let norm = GroupNorm(store.scope, channels: channels, groups: 2, epsilon: 1e-6)
        let (y, scalars) = (norm(x).scalars, x.scalars)
        let (pixels, size) = (height * width, channels / 2)
        for sample in 0..<samples {
            for group in 0..<2 {
                let places = (0..<pixels).flatMap { pixel in
                    (0..<size).map { (sample * pixels + pixel) * channels + group * size + $0 }
                }
                let values = places.map { Double(scalars[$0]) }
                let mean = values.reduce(0, +) / Double(values.count)
                let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
                for (place, value) in zip(places, values) {
                    #expect(abs(Double(y[place]) - (value - mean) / (variance + 1e-6).squareRoot()) < 2e-5)
                }
            }
        }
        let smooth = GroupNorm(store.scope / "smooth", channels: channels, groups: 2, epsilon: 1e-2)
        expectDerivative(of: { smooth($0[0]) }, at: [normals([2, 2, 3, channels], 4)], within: 2e-3)
    }
}
