import Foundation

/// EDM preconditioning D(x; σ) = c_skip·x + c_out·F(c_in·x; c_noise) (arXiv 2206.00364, Table 1).
public struct Preconditioning: Hashable, Sendable, Codable {
    /// Standard deviation of the data: 0.5 for images in −1…1, 1 for unit-variance latents.
    public var sigmaData: Double

    public init(sigmaData: Double = 0.5) { self.sigmaData = sigmaData }

    public struct Coefficients: Hashable, Sendable {
        public var skip, out, input, noise: Double
    }

    /// c_skip, c_out, c_in and c_noise = ¼ ln σ.
    public func coefficients(sigma: Double) -> Coefficients {
        let total = sigma * sigma + sigmaData * sigmaData
        return Coefficients(
            skip: sigmaData * sigmaData / total, out: sigma * sigmaData / total.squareRoot(),
            input: 1 / total.squareRoot(), noise: log(sigma) / 4)
    }

    /// λ(σ) = (σ² + σ_d²)/(σσ_d)² = 1/c_out²: the weight that gives every σ unit loss at initialisation.
    public func weight(sigma: Double) -> Double {
        (sigma * sigma + sigmaData * sigmaData) / (sigma * sigmaData * sigma * sigmaData)
    }

    /// The soft min-SNR weight (σσ_d)²/(σ² + σ_d²)² of k-diffusion.
    public func softMinimumSNR(sigma: Double) -> Double {
        let product = sigma * sigmaData
        let total = sigma * sigma + sigmaData * sigmaData
        return product * product / (total * total)
    }
}
