import Testing

@testable import Tensors

@Suite struct FFTDerivativeTests {
    static let shapes: [Shape] = [[1, 3, 5, 2], [3, 4, 3, 1], [1, 5, 4, 2], [3, 1, 2, 1]]
    let random = RandomStream(seed: 11)

    /// Central differences of Σ f(x)·g in every scalar of x. A transform is linear, so a step of 1 is exact but for
    /// rounding.
    private func worstDifference(_ x: Tensor, _ f: (Tensor) -> Tensor) throws -> Double {
        let variable = x.variable
        let result = f(variable)
        let cotangent = random.stream(9).normals(result.shape)
        let gradient = try #require(result.gradients(cotangent: cotangent)[variable])
        #expect(gradient.shape == x.shape)
        func value(_ scalars: [Float]) -> Double {
            zip(f(Tensor(shape: x.shape, scalars: scalars)).scalars, cotangent.scalars)
                .reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let scalars = x.scalars
        var worst = 0.0
        for (index, analytic) in gradient.scalars.enumerated() {
            var (up, down) = (scalars, scalars)
            up[index] += 1
            down[index] -= 1
            worst = max(worst, abs((value(up) - value(down)) / 2 - Double(analytic)))
        }
        return worst
    }

    @Test(arguments: shapes, FFTNormalization.allCases)
    func `the forward transform's gradient is its central difference`(_ s: Shape, _ n: FFTNormalization)
        throws
    {
        #expect(try worstDifference(random.normals(s)) { $0.realFFT2(n) } < 2e-5)
    }

    @Test(arguments: shapes, FFTNormalization.allCases)
    func `the inverse transform's gradient is its central difference`(_ s: Shape, _ n: FFTNormalization)
        throws
    {
        let spectrum = random.normals([s[0], s[1], s[2] / 2 + 1, s[3], 2])
        #expect(try worstDifference(spectrum) { $0.inverseRealFFT2(width: s[2], n) } < 2e-5)
    }

    @Test func `a gradient flows through both transforms back to itself`() throws {
        let x = random.normals([3, 7, 5, 2]).variable
        let cotangent = random.stream(1).normals([3, 7, 5, 2])
        let y = x.realFFT2().inverseRealFFT2(width: 5)
        let gradient = try #require(y.gradients(cotangent: cotangent)[x])
        for (a, b) in zip(gradient.scalars, cotangent.scalars) { #expect(abs(a - b) < 2e-6) }
    }
}
