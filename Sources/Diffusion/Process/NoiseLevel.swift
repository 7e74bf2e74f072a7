import Foundation

/// How much signal and noise a sample carries: x = signal·x₀ + noise·ε, with ε ~ N(0, I).
///
/// The papers' a and b. Variance-preserving processes have a² + b² = 1, variance-exploding ones a = 1, flow
/// matching a = 1 − b.
public struct NoiseLevel: Hashable, Sendable {
    /// Factor a of the clean sample.
    public var signal: Double
    /// Factor b of the noise.
    public var noise: Double
    /// What the network is told: a timestep, a flow time or ¼ ln σ, in the unit it was trained with.
    public var time: Double
    /// da/dt and db/dt, where the process has a time of its own; a velocity prediction is ȧ·x₀ + ḃ·ε.
    public var signalRate = 0.0
    public var noiseRate = 0.0

    public init(signal: Double, noise: Double, time: Double, signalRate: Double = 0, noiseRate: Double = 0) {
        self.signal = signal
        self.noise = noise
        self.time = time
        self.signalRate = signalRate
        self.noiseRate = noiseRate
    }

    /// The end of every run: nothing but signal.
    public static func clean(time: Double = 0) -> NoiseLevel { NoiseLevel(signal: 1, noise: 0, time: time) }

    /// σ = b/a, the noise level of the sample divided by its signal.
    public var sigma: Double { noise / signal }

    /// λ = ln(a/b), half the logarithm of the signal-to-noise ratio; +∞ without noise.
    public var lambda: Double { log(signal) - log(noise) }

    /// a²/b².
    public var signalToNoise: Double { signal * signal / (noise * noise) }
}

/// A family of noise levels, reachable by σ: what a solver needs to stop between the levels of its grid.
public protocol NoisePath: Sendable {
    /// The level with noise/signal = `sigma` (≥ 0).
    func level(sigma: Double) -> NoiseLevel
}

/// x = x₀ + σε (EDM, arXiv 2206.00364); the network time is c_noise = ¼ ln σ, times `timeScale`.
public struct ExplodingPath: NoisePath, Hashable {
    public var timeScale: Double

    public init(timeScale: Double = 1) { self.timeScale = timeScale }

    public func level(sigma: Double) -> NoiseLevel {
        NoiseLevel(signal: 1, noise: sigma, time: timeScale * log(max(sigma, 1e-30)) / 4, noiseRate: 1)
    }
}

/// x = (1−s)·x₀ + s·ε (rectified flow; SD3, arXiv 2403.03206); the network time is `timeScale`·s.
public struct FlowPath: NoisePath, TimedPath, Hashable {
    public var timeScale: Double

    public init(timeScale: Double = 1000) { self.timeScale = timeScale }

    /// The level at flow time s in 0…1, 1 being pure noise.
    public func level(time s: Double) -> NoiseLevel {
        NoiseLevel(signal: 1 - s, noise: s, time: timeScale * s, signalRate: -1, noiseRate: 1)
    }

    public func level(sigma: Double) -> NoiseLevel {
        sigma.isInfinite ? level(time: 1) : level(time: sigma / (1 + sigma))
    }
}
