import Tensors
import Testing

@Suite struct RecomputationTests {
    private func normals(_ shape: Shape, seed: UInt64) -> Tensor { RandomStream(seed: seed).normals(shape) }

    @Test func `result and gradients have the bits of what is kept`() throws {
        let (x, v) = (normals([5, 8], seed: 1).variable, normals([5, 8], seed: 2).variable)
        let w = normals([8, 8], seed: 3).variable
        var calls = 0
        // The weights serve twice inside and once outside.
        func body(_ inputs: [Tensor]) -> Tensor {
            calls += 1
            return gelu(inputs[0].linear(w)).linear(w) * inputs[1]
        }
        func step(_ y: Tensor) -> [Tensor?] {
            let gradients = (y.linear(w) + x).gradients(cotangent: normals([5, 8], seed: 4))
            return [gradients[x], gradients[v], gradients[w]]
        }
        let kept = step(body([x, v]))
        calls = 0
        let result = Tensor.recomputing([x, v], parameters: [w], body)
        #expect(result.hasSameBits(as: body([x, v])))
        calls = 1
        let again = step(result)
        #expect(calls == 2)
        for (a, b) in zip(again, kept).dropLast() {
            #expect(try #require(a).hasSameBits(as: #require(b)))
        }
        // A sum of three: its order may differ.
        let (a, b) = (try #require(again[2]), try #require(kept[2]))
        #expect(zip(a.scalars, b.scalars).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func `an input that needs no gradient gets none, and without any nothing is recorded`() {
        let x = normals([2, 3], seed: 1).variable
        let y = Tensor.recomputing([x, normals([2, 3], seed: 2)], parameters: []) { $0[0] * $0[1] }
        #expect(y.gradients()[x] != nil)
        #expect(!Tensor.recomputing([normals([2, 3], seed: 2)], parameters: []) { $0[0] + 1 }.isTracked)
    }
}
