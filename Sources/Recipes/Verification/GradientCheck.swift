import Checkpoints
import Layers
import Tensors

/// Collects the comparisons of a case with outputs, input gradients and parameter gradients.
struct GradientCheck {
    let fixture: Fixture
    let outputTolerance: Double
    let gradientTolerance: Double
    var result = VerificationResult()
    private var gradients: [Gradients] = []

    init(
        _ fixture: Fixture, outputs: Double = DiCoVerification.outputTolerance,
        gradients: Double = DiCoVerification.gradientTolerance
    ) {
        self.fixture = fixture
        outputTolerance = outputs
        gradientTolerance = gradients
    }

    /// Compares a channels-last result with `output.<name>`.
    mutating func output(_ name: String, _ value: Tensor) throws {
        result.addOutput(
            Comparison(name: name, channelsLast: value, expected: try fixture.output(name)),
            within: outputTolerance)
    }

    /// Goes back from `value` with the stored cotangent and compares the gradients of the inputs. Parameter
    /// gradients add up over several calls until `parameters` compares them.
    mutating func backward(_ value: Tensor, _ name: String, inputs: [(name: String, tensor: Tensor)] = [])
        throws
    {
        guard let cotangent = fixture.file["cotangent." + name] else { return }
        let found = value.gradients(cotangent: cotangent.channelsLastTensor)
        for (name, tensor) in inputs {
            guard let expected = fixture.file["grad_input." + name] else { continue }
            let gradient = found[tensor] ?? .zeros(tensor.shape)
            result.addGradient(
                Comparison(name: expected.name, channelsLast: gradient, expected: expected),
                within: gradientTolerance)
        }
        gradients.append(found)
    }

    /// Compares every parameter's gradient with `grad_param.<key>` or its summary.
    mutating func parameters(_ store: ParameterStore) throws {
        for (name, tensor) in store.all {
            let parts = gradients.compactMap { $0[tensor] }
            let gradient = parts.dropFirst().reduce(parts.first ?? .zeros(tensor.shape), +)
            if let expected = fixture.file["grad_param." + name] {
                result.addGradient(
                    Comparison(name: expected.name, gradient, expected: expected), within: gradientTolerance)
            } else if let summary = fixture.file["grad_summary." + name] {
                try compare(gradient, name, with: summary)
            }
        }
    }

    /// A summary is [Σ g, ‖g‖, g·u] with u from the counter generator under the key "proj:<key>". All three are
    /// compared in units of the reference's length, in which a wrong element of any size shows.
    private mutating func compare(_ gradient: Tensor, _ name: String, with summary: StoredTensor) throws {
        let direction = CounterGenerator.values(
            seed: try fixture.integer("seed"), key: "proj:" + name, exponent: 0, count: gradient.elementCount)
        var (sum, square, projection) = (0.0, 0.0, 0.0)
        gradient.withScalars { scalars in
            for (value, u) in zip(scalars, direction) {
                sum += Double(value)
                square += Double(value) * Double(value)
                projection += Double(value) * Double(u)
            }
        }
        let expected = summary.doubles
        guard expected.count == 3, expected[1] > 0 else {
            throw CheckpointFileError(
                file: fixture.path, problem: "\(summary.name) is no [sum, norm, projection]")
        }
        result.addGradient(
            Comparison(
                name: summary.name, [sum, square.squareRoot(), projection].map { $0 / expected[1] },
                shape: [3],
                expected: expected.map { $0 / expected[1] }, shape: [3]), within: gradientTolerance)
    }
}
