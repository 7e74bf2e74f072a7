import Checkpoints
import Diffusion
import Tensors

/// One diffusion case being compared: reads its tensors as latents and gathers the comparisons.
struct DiffusionCheck {
    let fixture: Fixture
    var result = VerificationResult()
    /// What float32 references are held to: 20 times their own distance from a double-precision evaluation.
    var tolerance: Double
    /// What float64 references are held to.
    var doubleTolerance = 1e-10

    init(_ fixture: Fixture) {
        self.fixture = fixture
        tolerance = max(1e-5, 20 * (fixture.metadata("fp64_deviation")?["worst"]?.number ?? 0))
    }

    var config: JSONValue { fixture.config }

    /// Whole numbers leave room for nothing at all.
    private func tolerance(for expected: StoredTensor) -> Double {
        switch expected.type {
        case .float64: doubleTolerance
        case .int64, .int32: 0
        default: tolerance
        }
    }

    // MARK: Reading

    func has(_ name: String) -> Bool { fixture.inputs.contains { $0.name == name } }
    func hasOutput(_ name: String) -> Bool { fixture.outputs.contains { $0.name == name } }

    func values(_ input: String) throws -> [Double] { try fixture.input(input).doubles }

    /// An input `[N, C, H, W]` as `[N, H, W, C]`.
    func latent(_ input: String) throws -> Latent { Self.latent(try fixture.input(input)) }

    /// An input `[K, N, C, H, W]` as K latents; none when the case has no such input.
    func latents(_ input: String) throws -> [Latent] {
        has(input) ? split(try fixture.input(input)) : []
    }

    /// A stored `[K, N, C, H, W]` as K latents.
    func split(_ stored: StoredTensor) -> [Latent] {
        let shape = Array(stored.shape.dropFirst())
        let size = shape.reduce(1, *)
        let values = stored.doubles
        return (0..<stored.shape[0]).map { k in
            let (moved, moveShape) = AxisOrder.channelsLast(
                Array(values[k * size..<(k + 1) * size]), shape: shape)
            return Latent(shape: Shape(moveShape), values: moved)
        }
    }

    static func latent(_ stored: StoredTensor) -> Latent {
        let (values, shape) = AxisOrder.channelsLast(stored.doubles, shape: stored.shape)
        return Latent(shape: Shape(shape), values: values)
    }

    /// The classes of the case's samples, nil for each where it has none.
    func labels(count: Int) throws -> [Int?] {
        has("y") ? try fixture.input("y").integers : Array(repeating: nil, count: count)
    }

    // MARK: Comparing

    mutating func compare(_ name: String, _ values: [Double]) throws {
        let expected = try fixture.output(name)
        add(name, values, shape: expected.shape.count == 1 ? [values.count] : expected.shape, expected)
    }

    /// Compares an invertible function of both sides.
    mutating func compare(
        _ name: String, _ values: [Double], as prefix: String, _ transform: (Double) -> Double
    ) throws {
        let expected = try fixture.output(name)
        result.addOutput(
            Comparison(
                name: prefix + "output.\(name)", values.map(transform), shape: [values.count],
                expected: expected.doubles.map(transform), shape: expected.shape),
            within: tolerance(for: expected))
    }

    /// A latent in memory order against `[N, C, H, W]`.
    mutating func compare(_ name: String, _ latent: Latent) throws {
        let (values, shape) = AxisOrder.channelsSecond(latent.values, shape: latent.shape.extents)
        add(name, values, shape: shape, try fixture.output(name))
    }

    /// Latents against `[K, N, C, H, W]`.
    mutating func compare(_ name: String, _ latents: [Latent]) throws {
        let moved = latents.map { AxisOrder.channelsSecond($0.values, shape: $0.shape.extents) }
        add(
            name, moved.flatMap(\.values), shape: [latents.count] + (moved.first?.shape ?? []),
            try fixture.output(name))
    }

    /// Compares only where the case holds such an output.
    mutating func compareIfPresent(_ name: String, _ latents: @autoclosure () -> [Latent]) throws {
        if hasOutput(name) { try compare(name, latents()) }
    }

    mutating func compareIfPresent(_ name: String, _ values: @autoclosure () -> [Double]) throws {
        if hasOutput(name) { try compare(name, values()) }
    }

    mutating func compareGradient(_ name: String, _ gradient: Tensor) throws {
        let expected = try fixture.inputGradient(name)
        result.addGradient(
            Comparison(name: "grad_input.\(name)", channelsLast: gradient, expected: expected),
            within: tolerance(for: expected))
    }

    private mutating func add(_ name: String, _ values: [Double], shape: [Int], _ expected: StoredTensor) {
        result.addOutput(
            Comparison(
                name: "output.\(name)", values, shape: shape, expected: expected.doubles,
                shape: expected.shape),
            within: tolerance(for: expected))
    }
}

extension DiffusionCheck {
    /// The discrete process that a case's config describes in ADM's words.
    func process() throws -> GaussianProcess {
        let count = try fixture.integer("diffusion_steps")
        try require((1...1_000_000).contains(count), "diffusion_steps is \(count)")
        let process = GaussianProcess(try Self.schedule(fixture.string("noise_schedule")), stepCount: count)
        return try process.respaced(config["timestep_respacing"]?.string ?? "")
    }

    static func schedule(_ name: String) throws -> BetaSchedule {
        switch name {
        case "linear": .linear
        case "squaredcos_cap_v2": .cosine
        default: throw UnsupportedFixture("the beta schedule \"\(name)\" is not known")
        }
    }
}
