import Tensors
import Testing

/// Compares every recorded derivative of a function with central differences of fourth order.
///
/// The differences are of Σ f(x)·g for a random cotangent g, summed in double. A step of 0.03 leaves an error of
/// step⁴ times the fifth derivative, and single-precision rounding divided by the step: together below 10⁻³ of the
/// gradient's RMS for functions and inputs of size one, which is what `tolerance` is relative to.
public func expectDerivatives(
    of inputs: [Tensor], tolerance: Double = 1e-3, step: Float = 0.03, _ function: ([Tensor]) -> Tensor,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let variables = inputs.map(\.variable)
    let result = function(variables)
    let cotangent = RandomStream(seed: 99).normals(result.shape)
    let gradients = result.gradients(cotangent: cotangent)

    func value(_ operands: [Tensor]) -> Double { Tensor.dot(function(operands), cotangent) }
    for (position, input) in inputs.enumerated() {
        guard let gradient = gradients[variables[position]] else {
            Issue.record("no gradient for operand \(position)", sourceLocation: sourceLocation)
            continue
        }
        #expect(gradient.shape == input.shape, sourceLocation: sourceLocation)
        let analytic = gradient.scalars
        let scale = (analytic.reduce(0) { $0 + Double($1 * $1) } / Double(max(1, analytic.count)))
            .squareRoot()
        let scalars = input.scalars
        for index in scalars.indices {
            func shifted(_ amount: Float) -> Double {
                var moved = scalars
                moved[index] += amount
                var operands = inputs
                operands[position] = Tensor(shape: input.shape, scalars: moved)
                return value(operands)
            }
            let near = shifted(step) - shifted(-step)
            let far = shifted(2 * step) - shifted(-2 * step)
            let numeric = (8 * near - far) / (12 * Double(step))
            let error = abs(numeric - Double(analytic[index])) / max(scale, 1e-6)
            guard error <= tolerance else {
                Issue.record(
                    "operand \(position) \(input.shape), scalar \(index): derivative \(analytic[index]), differences give \(numeric)",
                    sourceLocation: sourceLocation)
                break
            }
        }
    }
}
