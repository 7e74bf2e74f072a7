/// Fresh noise added before a step, which corrects errors of earlier ones (EDM, arXiv 2206.00364, Alg. 2).
public struct Churn: Hashable, Sendable, Codable {
    /// S_churn, spread over all steps; 0 for a deterministic run.
    public var amount = 0.0
    /// S_min…S_max, the σ where noise is added.
    public var minimum = 0.0
    public var maximum = Double.infinity
    /// S_noise, the deviation of the added noise.
    public var noise = 1.0

    public init(
        amount: Double = 0, minimum: Double = 0, maximum: Double = .infinity, noise: Double = 1
    ) {
        self.amount = amount
        self.minimum = minimum
        self.maximum = maximum
        self.noise = noise
    }

    /// EDM's setting for ImageNet at 64×64, with 256 steps.
    public static let imageNet64 = Churn(amount: 40, minimum: 0.05, maximum: 50, noise: 1.003)

    /// σ̂ ≥ σ for a step at `sigma` in a run of `count`.
    func raised(_ sigma: Double, count: Int) -> Double {
        guard amount > 0, sigma >= minimum, sigma <= maximum else { return sigma }
        return sigma * (1 + min(amount / Double(count), 2.0.squareRoot() - 1))
    }

    /// The state after noise is added, and its level.
    func apply(_ x: Latent, _ context: StepContext) -> (Latent, NoiseLevel) {
        let sigma = context.from.sigma
        let raised = raised(sigma, count: context.count)
        guard raised > sigma else { return (x, context.from) }
        let added = (raised * raised - sigma * sigma).squareRoot() * noise
        return (.combine((1, x), (added, context.noise(0))), context.path.level(sigma: raised))
    }
}
