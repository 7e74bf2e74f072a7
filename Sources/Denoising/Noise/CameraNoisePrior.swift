import Foundation

/// Distributions of a camera's shot noise a and read noise b, variance a·x + b, fitted to real cameras.
public enum CameraNoisePrior: String, Sendable, Codable, CaseIterable {
    /// ln a ~ U(ln 1e-4, ln 0.012), ln b = 2.18·ln a + 1.20 + N(0, 0.26²) (arXiv 1811.11127).
    case unprocessing
    /// log₁₀ a ~ U(log₁₀ 0.00068674, log₁₀ 0.02194856), log₁₀ b = 1.85·log₁₀ a + 0.30 + N(0, 0.20²), fitted to SIDD
    /// (CycleISP, arXiv 2003.07761).
    case sidd

    /// - Parameters:
    ///   - uniform: in 0…1.
    ///   - normal: a standard normal number.
    public func levels(uniform: Double, normal: Double) -> (a: Double, b: Double) {
        switch self {
        case .unprocessing:
            let logA = log(1e-4) + uniform * (log(0.012) - log(1e-4))
            return (exp(logA), exp(2.18 * logA + 1.20 + 0.26 * normal))
        case .sidd:
            let (low, high) = (log10(0.00068674), log10(0.02194856))
            let logA = low + uniform * (high - low)
            return (pow(10, logA), pow(10, 1.85 * logA + 0.30 + 0.20 * normal))
        }
    }
}
