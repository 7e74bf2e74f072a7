import Foundation
import Tensors

/// The power of an image per spatial frequency, averaged over directions.
///
/// P = |FFT|²/(H·W) of samples scaled to 0…1. Bin b holds all coefficients whose radius rounds to b, the radius
/// being in cycles per max(H, W) pixels. Corner frequencies are included: cutting at the Nyquist circle would make
/// the measure blind to checkerboards.
public struct RadialSpectrum: Sendable {
    /// Power of 8-bit quantisation noise; added before a logarithm so that empty bands do not dominate.
    public static let quantisationPower = 1 / (12 * 255.0 * 255.0)

    public let height: Int
    public let width: Int
    /// Number of coefficients in each bin, counting the mirrored half.
    public let binCounts: [Int]
    private let transform: RealFFT2<Double>
    /// Bin and multiplicity of each stored coefficient.
    private let bins: [(bin: Int, weight: Int)]

    public init(height: Int, width: Int) {
        (self.height, self.width) = (height, width)
        transform = RealFFT2(height: height, width: width)
        let longer = Double(max(height, width))
        var bins: [(bin: Int, weight: Int)] = []
        for u in 0..<height {
            let fu = Double(min(u, height - u)) / Double(height)
            for v in 0..<transform.spectrumWidth {
                let fv = Double(v) / Double(width)
                let radius = (fu * fu + fv * fv).squareRoot() * longer
                bins.append((Int((radius + 0.5).rounded(.down)), v == 0 || 2 * v == width ? 1 : 2))
            }
        }
        self.bins = bins
        var counts = [Int](repeating: 0, count: (bins.map(\.bin).max() ?? 0) + 1)
        for (bin, weight) in bins { counts[bin] += weight }
        binCounts = counts
    }

    public var binCount: Int { binCounts.count }

    /// Mean power per bin of one plane `[H, W]`, samples 0…255.
    public func power(of plane: [Double]) -> [Double] {
        var sums = [Double](repeating: 0, count: binCount)
        let spectrum = coefficients(of: plane)
        for (place, (bin, weight)) in bins.enumerated() {
            let (real, imaginary) = (spectrum[2 * place], spectrum[2 * place + 1])
            sums[bin] += Double(weight) * (real * real + imaginary * imaginary)
        }
        return zip(sums, binCounts).map { $0 / (Double($1) * Double(height * width)) }
    }

    /// log₁₀(P + ε) of every bin but the mean's.
    public func logFeature(power: [Double]) -> [Double] {
        power.dropFirst().map { log10($0 + Self.quantisationPower) }
    }

    /// |FFT|² of a plane scaled to 0…1, all `[H, W]` coefficients.
    public func squaredMagnitudes(of plane: [Double]) -> [Double] {
        let spectrum = coefficients(of: plane)
        let half = transform.spectrumWidth
        return (0..<height * width).map { index in
            let (u, v) = (index / width, index % width)
            let place = v < half ? u * half + v : (height - u) % height * half + width - v
            return spectrum[2 * place] * spectrum[2 * place] + spectrum[2 * place + 1]
                * spectrum[2 * place + 1]
        }
    }

    private func coefficients(of plane: [Double]) -> [Double] {
        precondition(
            plane.count == height * width, "a plane of \(plane.count) samples is not \(height)×\(width)")
        let scaled = plane.map { $0 / 255 }
        var spectrum = [Double](repeating: 0, count: transform.spectrumCount)
        transform.forward(scaled, into: &spectrum, count: 1)
        return spectrum
    }
}

extension RadialSpectrum {
    /// The azimuthal average of Durall et al. (arXiv 2003.01826): 20·ln|F + 1e-8| of the centred spectrum, averaged
    /// over whole-numbered distances to ((W−1)/2, (H−1)/2), without the first and the last ring. Half a pixel off
    /// centre for even sizes; kept for comparison with published figures.
    /// - Returns: the profile, and the profile scaled to 0…1.
    public func upconvProfile(of plane: [Double]) -> (raw: [Double], normalised: [Double]) {
        let spectrum = coefficients(of: plane)
        let half = transform.spectrumWidth
        var sums: [Double] = []
        var counts: [Double] = []
        for y in 0..<height {
            for x in 0..<width {
                let (u, v) = ((y + height - height / 2) % height, (x + width - width / 2) % width)
                // |F + 1e-8| shifts the real part, which the mirrored half shares.
                let place = v < half ? u * half + v : (height - u) % height * half + width - v
                let real = spectrum[2 * place] + 1e-8
                let imaginary = spectrum[2 * place + 1]
                let level = 10 * log(real * real + imaginary * imaginary)
                let (dx, dy) = (Double(x) - Double(width - 1) / 2, Double(y) - Double(height - 1) / 2)
                let ring = Int((dx * dx + dy * dy).squareRoot())
                while sums.count <= ring {
                    sums.append(0)
                    counts.append(0)
                }
                sums[ring] += level
                counts[ring] += 1
            }
        }
        let raw = zip(sums, counts).map { $0 / $1 }.dropFirst().dropLast()
        let (low, high) = (raw.min() ?? 0, raw.max() ?? 1)
        return (Array(raw), raw.map { ($0 - low) / (high - low) })
    }
}
