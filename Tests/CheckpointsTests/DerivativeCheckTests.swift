import TestSupport
import Tensors
import Testing

@Suite struct DerivativeCheckTests {
    private let x = Tensor(shape: [3, 5], scalars: (0..<15).map { Float($0) * 0.37 - 2.1 })
    private let y = Tensor(shape: [3, 5], scalars: (0..<15).map { 1.5 - Float($0 * $0 % 7) * 0.4 })

    @Test func `right derivatives pass, constant ones and unused inputs too`() {
        expectDerivative(of: { $0[0] * $0[1] + exp($0[0] * 0.3) }, at: [x, y])
        expectDerivative(of: { sigmoid($0[0]) * tanh($0[1]) }, at: [x, y])
        expectDerivative(of: { $0[0] * 2 + 1 }, at: [x, y])
    }

    @Test func `a derivative that stops half-way, or is wrong by a hundredth, is noticed`() {
        withKnownIssue { expectDerivative(of: { $0[0] * $0[0].detached }, at: [x]) }
        withKnownIssue { expectDerivative(of: { $0[0] * $0[0] + $0[0].detached * 0.02 }, at: [x]) }
    }
}
