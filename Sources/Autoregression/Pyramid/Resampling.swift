import Foundation
import Layers
import Tensors

/// How a map changes size along one axis; the matrices are those of `specs/nfig.md`, section 3.
public enum Resampling: String, Codable, Hashable, Sendable, CaseIterable {
    /// Adaptive average pooling: row j averages the inputs ⌊jH/h⌋ … ⌈(j+1)H/h⌉ − 1, whose windows overlap when
    /// H/h is no whole number.
    case area
    /// Keys' cubic with a = −0.75, no antialiasing, half-pixel centres (PyTorch's `bicubic`).
    case bicubic
    /// Linear interpolation between half-pixel centres.
    case bilinear
    /// Periodic: keeps or zero-pads Fourier coefficients (SciPy's `resample`). Sample 0 stays at sample 0.
    case fourier
    /// Mirrored at the borders: keeps or zero-pads cosine coefficients; centres stay aligned, the mean stays.
    case cosine

    /// The matrix `[to, from]` of a change of size along one axis.
    public func matrix(from: Int, to: Int) -> Matrix {
        precondition(from > 0 && to > 0, "no axis of \(from) becomes one of \(to)")
        return switch self {
        case .area: Self.area(from, to)
        case .bicubic: Self.bicubic(from, to)
        case .bilinear: Self.bilinear(from, to)
        case .fourier: Self.fourier(from, to)
        case .cosine: Self.cosine(from, to)
        }
    }

    private static func area(_ from: Int, _ to: Int) -> Matrix {
        var result = Matrix(zeros: to, from)
        for j in 0..<to {
            let (begin, end) = (j * from / to, ((j + 1) * from + to - 1) / to)
            for i in begin..<end { result[j, i] = 1 / Double(end - begin) }
        }
        return result
    }

    private static func bicubic(_ from: Int, _ to: Int) -> Matrix {
        let a = -0.75
        func weight(_ distance: Double) -> Double {
            let d = abs(distance)
            if d <= 1 { return ((a + 2) * d - (a + 3)) * d * d + 1 }
            return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0
        }
        var result = Matrix(zeros: to, from)
        for j in 0..<to {
            let position = (Double(j) + 0.5) * Double(from) / Double(to) - 0.5
            let first = Int(position.rounded(.down)) - 1
            for tap in first..<first + 4 {
                result[j, min(max(tap, 0), from - 1)] += weight(position - Double(tap))
            }
        }
        return result
    }

    private static func bilinear(_ from: Int, _ to: Int) -> Matrix {
        var result = Matrix(zeros: to, from)
        for j in 0..<to {
            let position = max(0, (Double(j) + 0.5) * Double(from) / Double(to) - 0.5)
            let first = min(Int(position), from - 1)
            let fraction = position - Double(first)
            result[j, first] += 1 - fraction
            result[j, min(first + 1, from - 1)] += fraction
        }
        return result
    }

    /// (1/H)·Σ_k a_k·cos 2πk(j/h − i/H) over the kept frequencies. A Nyquist pair that becomes one bin, or the
    /// one bin that becomes a pair, contributes its cosine alone; both weigh the same in the real result.
    private static func fourier(_ from: Int, _ to: Int) -> Matrix {
        var result = Matrix(zeros: to, from)
        let size = min(from, to)
        for j in 0..<to {
            for i in 0..<from {
                var sum = cosineSum(upTo: (size - 1) / 2, turns: j * from - i * to, per: from * to)
                if size % 2 == 0 { sum += nyquist(j, i, from, to, size: size) }
                result[j, i] = sum / Double(from)
            }
        }
        return result
    }

    /// 1 + 2·Σ cos(2πk·turns/denominator) for k = 1…m, which is sin((2m + 1)α)/sin α at α = π·turns/denominator.
    static func cosineSum(upTo m: Int, turns: Int, per denominator: Int) -> Double {
        let p = (turns % denominator + denominator) % denominator
        guard p != 0 else { return Double(2 * m + 1) }
        // Reduced in whole numbers, so that no angle is larger than a turn.
        let angle = Double.pi / Double(denominator)
        return sin(angle * Double((2 * m + 1) * p % (2 * denominator))) / sin(angle * Double(p))
    }

    private static func nyquist(_ j: Int, _ i: Int, _ from: Int, _ to: Int, size: Int) -> Double {
        let output = cosine(ofTurns: size / 2 * j, per: to)
        let input = cosine(ofTurns: size / 2 * i, per: from)
        if from == to { return output * input }
        // Down: X[s/2] + X[−s/2] = 2·Σ x·cos. Up: the real bin is halved onto ±s/2, which again makes a cosine.
        return from > to ? 2 * output * input : output * input
    }

    /// cos(2π·numerator/denominator), reduced in whole numbers first so that large products lose nothing.
    static func cosine(ofTurns numerator: Int, per denominator: Int) -> Double {
        cos(2 * Double.pi * Double(numerator % denominator) / Double(denominator))
    }

    private static func cosine(_ from: Int, _ to: Int) -> Matrix {
        let size = min(from, to)
        let forward = cosineTransform(from)
        let inverse = cosineTransform(to)
        let scale = (Double(to) / Double(from)).squareRoot()
        let kept = forward.selecting(rows: 0..<size)
        var product = LinearAlgebra.product(inverse.selecting(rows: 0..<size), transposingFirst: true, kept)
        for i in product.values.indices { product.values[i] *= scale }
        return product
    }

    /// The orthonormal DCT-II of a size: row k holds the k-th cosine.
    public static func cosineTransform(_ size: Int) -> Matrix {
        var result = Matrix(zeros: size, size)
        for k in 0..<size {
            let scale = ((k == 0 ? 1 : 2) / Double(size)).squareRoot()
            for i in 0..<size { result[k, i] = scale * cosine(ofTurns: (2 * i + 1) * k, per: 4 * size) }
        }
        return result
    }
}
