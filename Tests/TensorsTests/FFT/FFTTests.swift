import CKernels
import Foundation
import Testing

@testable import Tensors

/// N, H, W, C: odd and even, non-square, batch 1 and 3, more channels than one task takes.
private let shapes: [Shape] = [
    [1, 4, 4, 1], [3, 5, 7, 2], [1, 6, 5, 3], [3, 7, 8, 1], [1, 1, 9, 2], [3, 8, 1, 2], [1, 2, 2, 19],
    [1, 1, 1, 1],
    [1, 13, 11, 33],
]

/// The definition, summed in Double: spectrum `[N, H, W/2+1, C, 2]`.
private func slowForward(_ x: [Float], _ shape: Shape) -> [Double] {
    let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
    var result: [Double] = []
    for image in 0..<n {
        for u in 0..<h {
            for v in 0...w / 2 {
                for channel in 0..<c {
                    var (real, imaginary) = (0.0, 0.0)
                    for y in 0..<h {
                        for z in 0..<w {
                            let angle =
                                2 * Double.pi
                                * (Double(u * y % h) / Double(h) + Double(v * z % w) / Double(w))
                            let value = Double(x[((image * h + y) * w + z) * c + channel])
                            real += value * cos(angle)
                            imaginary -= value * sin(angle)
                        }
                    }
                    result += [real, imaginary]
                }
            }
        }
    }
    return result
}

/// Real part of the full inverse sum in Double, any half spectrum, symmetric or not.
private func slowInverse(_ x: [Float], _ shape: Shape) -> [Double] {
    let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
    let half = w / 2 + 1
    var result = [Double](repeating: 0, count: shape.elementCount)
    for image in 0..<n {
        for y in 0..<h {
            for z in 0..<w {
                for channel in 0..<c {
                    var sum = 0.0
                    for u in 0..<h {
                        for v in 0..<half {
                            let angle =
                                2 * Double.pi
                                * (Double(u * y % h) / Double(h) + Double(v * z % w) / Double(w))
                            let at = (((image * h + u) * half + v) * c + channel) * 2
                            let weight: Double = v == 0 || 2 * v == w ? 1 : 2
                            sum += weight * (Double(x[at]) * cos(angle) - Double(x[at + 1]) * sin(angle))
                        }
                    }
                    result[((image * h + y) * w + z) * c + channel] = sum
                }
            }
        }
    }
    return result
}

private func relativeError(_ a: [Float], _ b: [Double]) -> Double {
    let worst = zip(a, b).map { abs(Double($0) - $1) }.max() ?? 0
    return worst / max(1e-12, sqrt(b.reduce(0) { $0 + $1 * $1 } / Double(max(1, b.count))))
}

private func dot(_ a: Tensor, _ b: Tensor) -> Double {
    zip(a.scalars, b.scalars).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}

private func norm(_ a: Tensor) -> Double { sqrt(dot(a, a)) }

@Suite struct FFTTests {
    let random = RandomStream(seed: 3)

    private func spectrumShape(_ s: Shape) -> Shape { [s[0], s[1], s[2] / 2 + 1, s[3], 2] }

    @Test(arguments: shapes) func `the forward transform is the defining sum`(_ shape: Shape) {
        let x = random.normals(shape)
        let spectrum = SpectrumTensor.forward(x, .backward)
        #expect(spectrum.shape == spectrumShape(shape))
        #expect(relativeError(spectrum.scalars, slowForward(x.scalars, shape)) < 2e-6)
    }

    @Test(arguments: shapes) func `the inverse takes the real part of any half spectrum`(_ shape: Shape) {
        let spectrum = random.normals(spectrumShape(shape))
        let x = SpectrumTensor.inverse(spectrum, width: shape[2], .forward)
        #expect(x.shape == shape)
        #expect(relativeError(x.scalars, slowInverse(spectrum.scalars, shape)) < 2e-6)
    }

    @Test(arguments: shapes, FFTNormalization.allCases)
    func `the inverse undoes the forward transform`(_ shape: Shape, _ normalization: FFTNormalization) {
        let x = random.normals(shape)
        let back = SpectrumTensor.inverse(
            SpectrumTensor.forward(x, normalization), width: shape[2], normalization)
        #expect(relativeError(back.scalars, x.scalars.map(Double.init)) < 2e-6)
    }

    /// ⟨F x, g⟩ = ⟨x, Fᵀ g⟩ for every x and g is what an adjoint is.
    @Test(arguments: shapes, FFTNormalization.allCases)
    func `derivatives are the adjoints`(_ shape: Shape, _ normalization: FFTNormalization) {
        let x = random.normals(shape), s = random.stream(1).normals(spectrumShape(shape))
        let scale = norm(x) * norm(s)
        let forward = dot(SpectrumTensor.forward(x, normalization), s)
        let forwardAdjoint = dot(x, SpectrumTensor.forwardAdjoint(s, width: shape[2], normalization))
        #expect(abs(forward - forwardAdjoint) < 1e-6 * max(scale, abs(forward)))
        let inverse = dot(SpectrumTensor.inverse(s, width: shape[2], normalization), x)
        let inverseAdjoint = dot(s, SpectrumTensor.inverseAdjoint(x, normalization))
        #expect(abs(inverse - inverseAdjoint) < 1e-6 * max(scale, abs(inverse)))
    }

    @Test func `an image's spectrum depends neither on its batch nor on the thread count`() {
        let threads = sfumato_thread_count()
        defer { sfumato_set_thread_count(threads) }
        let shape: Shape = [3, 96, 81, 21]
        let x = random.normals(shape)
        sfumato_set_thread_count(1)
        let one = SpectrumTensor.forward(x)
        sfumato_set_thread_count(2)
        #expect(SpectrumTensor.forward(x).scalars == one.scalars)
        #expect(
            SpectrumTensor.inverse(one, width: 81).scalars == SpectrumTensor.inverse(one, width: 81).scalars)
        let size = shape.elementCount / 3
        let second = Tensor(shape: [1, 96, 81, 21], scalars: Array(x.scalars[size..<2 * size]))
        let part = one.elementCount / 3
        #expect(SpectrumTensor.forward(second).scalars == Array(one.scalars[part..<2 * part]))
    }

    @Test func `double precision keeps fifteen digits`() {
        let transform = RealFFT2<Double>(height: 27, width: 32)
        let x = random.normals([27 * 32]).scalars.map(Double.init)
        var spectrum = [Double](repeating: 0, count: transform.spectrumCount)
        transform.forward(x, into: &spectrum, count: 1)
        var back = [Double](repeating: 0, count: x.count)
        transform.inverse(spectrum, into: &back, count: 1)
        let worst = zip(x, back).map { abs($0 - $1 / 864) }.max() ?? 1
        #expect(worst < 1e-14)
    }
}
