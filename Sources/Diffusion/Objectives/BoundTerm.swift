import Foundation

/// One element of the variational bound of a discrete process at one step, with its derivatives.
///
/// For t > 0 the Kullback–Leibler divergence between the true posterior and the model's step; for t = 0 the
/// negative log-likelihood of an 8-bit pixel (DDPM, arXiv 2006.11239, equation 13; IDDPM for the learned
/// variance). In bits, not yet averaged over elements. Everything in `Double`: in float32 the decoder's tanh
/// saturates and loses digits.
struct BoundTerm {
    struct Value {
        var bits = 0.0
        /// Derivatives with respect to the clean estimate and to log Σ.
        var byClean = 0.0
        var byLogVariance = 0.0
    }

    private let isDecoder: Bool
    private let posteriorLogVariance, onClean, onNoisy: Double

    init(_ process: GaussianProcess, step t: Int) {
        isDecoder = t == 0
        posteriorLogVariance = process.posteriorLogVarianceClipped[t]
        onClean = process.posteriorMeanClean[t]
        onNoisy = process.posteriorMeanNoisy[t]
    }

    /// - Parameters:
    ///   - clean, noisy: x₀ and x_t.
    ///   - estimate: the model's x̂₀.
    ///   - logVariance: the model's log Σ.
    func callAsFunction(clean: Double, noisy: Double, estimate: Double, logVariance: Double) -> Value {
        let mean = onClean * estimate + onNoisy * noisy
        if isDecoder { return decoder(clean: clean, mean: mean, logVariance: logVariance) }
        let distance = onClean * (clean - estimate)
        let precision = exp(-logVariance)
        let ratio = exp(posteriorLogVariance - logVariance)
        let square = distance * distance * precision
        return Value(
            bits: 0.5 * (-1 + logVariance - posteriorLogVariance + ratio + square) / log(2),
            byClean: -distance * precision * onClean / log(2),
            byLogVariance: 0.5 * (1 - ratio - square) / log(2))
    }

    private func decoder(clean: Double, mean: Double, logVariance: Double) -> Value {
        let scale = exp(-0.5 * logVariance)
        let (upperZ, lowerZ) = ((clean - mean + 1 / 255.0) * scale, (clean - mean - 1 / 255.0) * scale)
        var (upper, upperSlope) = Self.approximateNormalCDF(upperZ)
        var (lower, lowerSlope) = Self.approximateNormalCDF(lowerZ)
        if clean < -0.999 { (lower, lowerSlope) = (0, 0) }
        if clean > 0.999 { (upper, upperSlope) = (1, 0) }
        let probability = upper - lower
        guard probability > 1e-12 else { return Value(bits: -log(1e-12) / log(2)) }
        let factor = -1 / (probability * log(2))
        return Value(
            bits: -log(probability) / log(2),
            byClean: factor * (lowerSlope - upperSlope) * scale * onClean,
            byLogVariance: factor * 0.5 * (lowerSlope * lowerZ - upperSlope * upperZ))
    }

    /// Φ(z) ≈ ½(1 + tanh(√(2/π)(z + 0.044715z³))) and its derivative.
    static func approximateNormalCDF(_ z: Double) -> (value: Double, slope: Double) {
        let factor = (2 / Double.pi).squareRoot()
        let t = tanh(factor * (z + 0.044715 * z * z * z))
        return (0.5 * (1 + t), 0.5 * (1 - t * t) * factor * (1 + 3 * 0.044715 * z * z))
    }
}
