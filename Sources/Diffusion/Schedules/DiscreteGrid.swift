import Foundation

/// The noise levels of a shorter run on a discrete process, laid out by diffusers' rules.
public struct DiscreteGrid: Sendable {
    /// How the σ between the ends are chosen.
    public enum Sigmas: Hashable, Sendable {
        /// Those of the timesteps.
        case timesteps
        case karras(rho: Double)
        case exponential
        case beta(alpha: Double, beta: Double)
        /// Even in λ over the trained range (arXiv 2206.00927).
        case lambda
    }

    /// Which family of methods lays out the timesteps.
    public enum Layout: Hashable, Sendable {
        /// Euler and its kin: fractional timesteps, σ linear between trained ones, and special σ over the
        /// range of the run's own timesteps.
        case euler
        /// DPM-Solver and UniPC: whole timesteps, one more laid out and the cleanest dropped, special σ over
        /// the whole trained range.
        case multistep
    }

    public var schedule: DiscreteSchedule
    public var layout: Layout
    public var spacing: TimestepSpacing
    public var sigmas: Sigmas
    /// Added to every timestep of leading spacing (Stable Diffusion: 1).
    public var offset: Int
    /// The noisiest λ that is used: −5.1 suits the cosine schedule. Multistep layout only.
    public var minimumLambda: Double
    /// Whether the run ends without noise, or at the cleanest trained level.
    public var endsClean: Bool

    public init(
        _ schedule: DiscreteSchedule, layout: Layout, spacing: TimestepSpacing = .linspace,
        sigmas: Sigmas = .timesteps, offset: Int = 0, minimumLambda: Double = -.infinity,
        endsClean: Bool = true
    ) {
        self.schedule = schedule
        self.layout = layout
        self.spacing = spacing
        self.sigmas = sigmas
        self.offset = offset
        self.minimumLambda = minimumLambda
        self.endsClean = endsClean
    }

    /// `count` + 1 levels, noisiest first.
    public func levels(count: Int) -> [NoiseLevel] {
        let timesteps = timesteps(count)
        let own = timesteps.map { schedule.linearSigma(timestep: $0) }
        let levels: [NoiseLevel]
        if let special = specialSchedule(own)?.sigmas(count: count) {
            levels = special.map { schedule.level(sigma: $0, time: networkTime(sigma: $0)) }
        } else {
            levels = zip(own, timesteps).map { schedule.level(sigma: $0, time: $1) }
        }
        return levels + [endsClean ? .clean() : schedule.level(sigma: schedule.minimumSigma, time: 0)]
    }

    private func timesteps(_ count: Int) -> [Double] {
        let trained = schedule.stepCount
        switch layout {
        case .euler: return spacing.timesteps(count, of: trained, offset: offset, isRounded: false)
        case .multistep:
            let usable = schedule.sigmas.filter { -log($0) >= minimumLambda }.count
            return spacing.multistepTimesteps(count, of: usable, trained: trained, offset: offset)
        }
    }

    private func specialSchedule(_ own: [Double]) -> SigmaSchedule? {
        let isEuler = layout == .euler
        let low = isEuler ? own.last ?? 0 : schedule.minimumSigma
        let high = isEuler ? own.first ?? 0 : schedule.maximumSigma
        switch sigmas {
        case .timesteps: return nil
        case .karras(let rho): return .karras(min: low, max: high, rho: rho)
        case .exponential, .lambda: return .exponential(min: low, max: high)
        case .beta(let alpha, let beta): return .beta(min: low, max: high, alpha: alpha, beta: beta)
        }
    }

    private func networkTime(sigma: Double) -> Double {
        let t = schedule.timestep(sigma: sigma)
        guard layout == .multistep else { return t }
        switch sigmas {
        case .karras, .lambda: return t.rounded(.toNearestOrEven)
        default: return t.rounded(.down)
        }
    }
}
