import Foundation
import Tensors
import Testing

/// Checks the derivative that `function` reports against central differences.
///
/// The scalar Σ function·cotangent, with a fixed cotangent of mixed signs, is accumulated in double precision and
/// differentiated by the four-point formula, whose error falls with the fourth power of the step: the single
/// precision of `function` itself is then what limits the comparison. Up to `elements` scalars of every input are
/// moved one by one, then all of them together in one direction, so that none goes unchecked.
///
/// - Parameters:
///   - function: smooth within two steps of the inputs: keep inputs of kinked functions away from the kink.
///   - inputs: where; each is differentiated.
///   - step: how far a scalar is moved; a power of two, so that moving it loses no digits.
///   - tolerance: largest difference, relative to the RMS of an input's gradient.
///   - elements: how many scalars of an input to move alone; they are spread evenly.
public func expectDerivative(
    of function: @escaping ([Tensor]) -> Tensor, at inputs: [Tensor], step: Float = 1 / 32,
    within tolerance: Double = 1e-3,
    elements: Int = 48, sourceLocation: SourceLocation = #_sourceLocation
) {
    let variables = inputs.map(\.variable)
    let result = function(variables)
    let cotangent = waves(result.elementCount, phase: 0.3)
    let gradients = result.gradients(cotangent: Tensor(shape: result.shape, scalars: cotangent))
    let check = DerivativeCheck(
        function: function, inputs: inputs, cotangent: cotangent, step: step, tolerance: tolerance,
        rounding: rounding(result.scalars, cotangent, step), sourceLocation: sourceLocation)
    for (index, variable) in variables.enumerated() {
        let gradient = gradients[variable] ?? .zeros(variable.shape)
        guard gradient.shape == variable.shape else {
            Issue.record(
                "input \(index) is \(variable.shape), its gradient \(gradient.shape)",
                sourceLocation: sourceLocation)
            continue
        }
        check.compare(gradient.scalars, input: index, elements: elements)
    }
}

/// What single precision may do to a difference of sums: the RMS of their terms' rounding over the step.
private func rounding(_ values: [Float], _ cotangent: [Float], _ step: Float) -> Double {
    let terms = zip(values, cotangent).reduce(0.0) { $0 + Double($1.0 * $1.1) * Double($1.0 * $1.1) }
    return terms.squareRoot() * 0x1p-22 / Double(step)
}

/// Numbers of mixed size and sign that no symmetry cancels.
private func waves(_ count: Int, phase: Double) -> [Float] {
    (0..<count).map { index in
        let slow = sin(0.31 * Double(index * index % 1009))
        return Float(cos(1.7 * Double(index) + phase) + 0.25 * slow)
    }
}

private struct DerivativeCheck {
    let function: ([Tensor]) -> Tensor
    let inputs: [Tensor]
    let cotangent: [Float]
    let step: Float
    let tolerance: Double
    let rounding: Double
    let sourceLocation: SourceLocation

    func compare(_ gradient: [Float], input: Int, elements: Int) {
        let count = gradient.count
        guard count > 0 else { return }
        let meanSquare = gradient.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
        let allowed = tolerance * meanSquare.squareRoot() + rounding
        var worst = (element: 0, numeric: Double(gradient[0]), difference: 0.0)
        for element in stride(from: 0, to: count, by: max(1, count / max(1, elements))) {
            var direction = [Float](repeating: 0, count: count)
            direction[element] = 1
            let numeric = slope(input: input, along: direction)
            let difference = abs(numeric - Double(gradient[element]))
            if !(difference <= worst.difference) { worst = (element, numeric, difference) }
            if difference.isNaN { break }
        }
        #expect(
            worst.difference <= allowed,
            "input \(input)[\(worst.element)]: gradient \(gradient[worst.element]), central difference \(worst.numeric)",
            sourceLocation: sourceLocation)
        // One direction through all scalars, of unit RMS over root count, so that it moves as far as one alone.
        let wave = waves(count, phase: 1.1)
        let norm = wave.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        let direction = wave.map { Float(Double($0) / max(norm, 1e-12)) }
        let analytic = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let numeric = slope(input: input, along: direction)
        #expect(
            abs(numeric - analytic) <= allowed + tolerance * abs(analytic),
            "input \(input) along all of it: gradient \(analytic), central difference \(numeric)",
            sourceLocation: sourceLocation)
    }

    /// (8 (f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h.
    private func slope(input: Int, along direction: [Float]) -> Double {
        let near = value(input, direction, step) - value(input, direction, -step)
        let far = value(input, direction, 2 * step) - value(input, direction, -2 * step)
        return (8 * near - far) / (12 * Double(step))
    }

    private func value(_ input: Int, _ direction: [Float], _ distance: Float) -> Double {
        var moved = inputs.map(\.detached)
        let scalars = zip(inputs[input].scalars, direction).map { $0 + distance * $1 }
        moved[input] = Tensor(shape: inputs[input].shape, scalars: scalars)
        return zip(function(moved).scalars, cotangent).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    }
}
