import Foundation

/// The adaptive fifth-order method of Dormand and Prince on a path's ODE, with the step-size control and the
/// fourth-order interpolation of torchdiffeq, so that SiT's default sampler is reproduced.
///
/// The times of the run are where samples are wanted; the steps in between are the method's own.
public struct DormandPrince: Solver {
    public var path: any TimedPath
    public var times: [Double]
    public var absoluteTolerance: Double
    public var relativeTolerance: Double

    public init(
        path: any TimedPath, times: [Double], absoluteTolerance: Double = 1e-6,
        relativeTolerance: Double = 1e-3
    ) {
        self.path = path
        self.times = times
        self.absoluteTolerance = absoluteTolerance
        self.relativeTolerance = relativeTolerance
    }

    public var grid: [NoiseLevel] { times.map(path.level(time:)) }
    public var memory: Int { 1 }

    public func step(_ x: Latent, _ context: StepContext, _ history: [HistoryEntry]) -> StepResult {
        var progress = history.first?.carry as? Progress ?? start(x, context)
        let target = times[context.index + 1]
        let direction = times[context.index + 1] >= times[context.index] ? 1.0 : -1.0
        while direction * (target - progress.end) > 0 { attempt(&progress, context) }
        return StepResult(
            next: progress.interpolated(at: target),
            left: HistoryEntry(
                level: context.from, state: x, estimate: progress.estimate, carry: progress))
    }

    /// Where the integration is: it may be past the time that was asked for.
    struct Progress: Sendable {
        var begin, end: Double
        /// State and slope at `end`.
        var state, slope: Latent
        var stepSize: Double
        /// x(begin + θ·(end − begin)) = Σ coefficients[k]·θᵏ.
        var coefficients: [Latent]
        var estimate: Estimate

        func interpolated(at time: Double) -> Latent {
            let theta = (time - begin) / (end - begin)
            var result = coefficients[0]
            for (k, coefficient) in coefficients.enumerated().dropFirst() {
                result.add(pow(theta, Double(k)), coefficient)
            }
            return result
        }
    }

    private func slope(_ x: Latent, _ t: Double, _ context: StepContext) -> (Latent, Estimate) {
        let level = path.level(time: t)
        let estimate = context.evaluate(x, level)
        return (estimate.velocity(at: level), estimate)
    }
}

extension DormandPrince {
    /// A first step size from the sizes of x, its slope and its curvature (Hairer, Nørsett, Wanner,
    /// "Solving ordinary differential equations I", II.4).
    private func start(_ x: Latent, _ context: StepContext) -> Progress {
        let t = times[context.index]
        let direction = times[context.index + 1] >= t ? 1.0 : -1.0
        let (f0, estimate) = slope(x, t, context)
        let scale = x.map { absoluteTolerance + abs($0) * relativeTolerance }
        func size(_ y: Latent) -> Double { y.zip(scale) { $0 / $1 }.rootMeanSquare }
        let (d0, d1) = (size(x), size(f0))
        let h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1
        let (f1, _) = slope(.combine((1, x), (direction * h0, f0)), t + direction * h0, context)
        let d2 = size(f1 - f0) / h0
        let h1 = d1 <= 1e-15 && d2 <= 1e-15 ? max(1e-6, h0 * 1e-3) : pow(0.01 / max(d1, d2), 0.2)
        return Progress(
            begin: t, end: t, state: x, slope: f0, stepSize: direction * min(100 * h0, h1), coefficients: [],
            estimate: estimate)
    }

    /// One try; the state moves only when the error is within the tolerance.
    private func attempt(_ progress: inout Progress, _ context: StepContext) {
        let (t, dt) = (progress.end, progress.stepSize)
        var slopes = [progress.slope]
        var stage = progress.state
        var estimate = progress.estimate
        for (row, node) in zip(Self.rows, Self.nodes) {
            stage = progress.state
            for (weight, slope) in zip(row, slopes) { stage.add(dt * weight, slope) }
            let (next, found) = slope(stage, t + dt * node, context)
            slopes.append(next)
            estimate = found
        }
        // The last stage is the fifth-order result itself.
        let error = Self.sum(Self.errorWeights, slopes, times: dt)
        let tolerance = progress.state.zip(stage) {
            absoluteTolerance + relativeTolerance * max(abs($0), abs($1))
        }
        let ratio = error.zip(tolerance) { $0 / $1 }.rootMeanSquare
        if ratio <= 1 {
            progress.coefficients = Self.quartic(
                from: progress.state, to: stage,
                middle: progress.state + Self.sum(Self.middleWeights, slopes, times: dt),
                slopes: (slopes[0], slopes[6]), dt: dt)
            (progress.begin, progress.end) = (t, t + dt)
            (progress.state, progress.slope, progress.estimate) = (stage, slopes[6], estimate)
        }
        let factor = ratio == 0 ? 10 : min(10, max(0.9 / pow(ratio, 0.2), ratio < 1 ? 1 : 0.2))
        progress.stepSize = dt * factor
    }

    private static func sum(_ weights: [Double], _ slopes: [Latent], times factor: Double) -> Latent {
        var result = (factor * weights[0]) * slopes[0]
        for (weight, slope) in zip(weights, slopes).dropFirst() { result.add(factor * weight, slope) }
        return result
    }

    /// The polynomial of degree 4 through both ends, their slopes and the middle.
    private static func quartic(
        from y0: Latent, to y1: Latent, middle: Latent, slopes: (Latent, Latent), dt: Double
    ) -> [Latent] {
        let (f0, f1) = slopes
        return [
            y0, dt * f0,
            .combine((dt, f1), (-4 * dt, f0), (-11, y0), (-5, y1), (16, middle)),
            .combine((5 * dt, f0), (-3 * dt, f1), (18, y0), (14, y1), (-32, middle)),
            .combine((2 * dt, f1), (-2 * dt, f0), (-8, y1), (-8, y0), (16, middle)),
        ]
    }

    private static let nodes: [Double] = [0.2, 0.3, 0.8, 8 / 9.0, 1, 1]
    private static let rows: [[Double]] = [
        [0.2],
        [3 / 40.0, 9 / 40.0],
        [44 / 45.0, -56 / 15.0, 32 / 9.0],
        [19372 / 6561.0, -25360 / 2187.0, 64448 / 6561.0, -212 / 729.0],
        [9017 / 3168.0, -355 / 33.0, 46732 / 5247.0, 49 / 176.0, -5103 / 18656.0],
        [35 / 384.0, 0, 500 / 1113.0, 125 / 192.0, -2187 / 6784.0, 11 / 84.0],
    ]
    /// Fifth order minus an embedded fourth order (Shampine 1986).
    private static let errorWeights: [Double] = [
        35 / 384.0 - 1951 / 21600.0, 0, 500 / 1113.0 - 22642 / 50085.0, 125 / 192.0 - 451 / 720.0,
        12231 / 42400.0 - 2187 / 6784.0, 11 / 84.0 - 649 / 6300.0, -1 / 60.0,
    ]
    /// The state halfway (Shampine 1986).
    private static let middleWeights: [Double] = [
        6_025_192_743 / 30_085_553_152.0 / 2, 0, 51_252_292_925 / 65_400_821_598.0 / 2,
        -2_691_868_925 / 45_128_329_728.0 / 2, 187_940_372_067 / 1_594_534_317_056.0 / 2,
        -1_776_094_331 / 19_743_644_256.0 / 2, 11_237_099 / 235_043_384.0 / 2,
    ]
}
