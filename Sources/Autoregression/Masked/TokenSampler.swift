import Layers
import Tensors

/// The random numbers of one autoregressive step: draw 0 is the noise a token begins as, later ones are added on the way.
public protocol TokenNoise: Sendable {
    /// `[R, w]`, one row per token.
    func draw(_ index: Int, shape: Shape) -> Tensor
}

/// Another source's numbers, the first draw and those of the steps each times a factor.
public struct ScaledTokenNoise: TokenNoise {
    let source: any TokenNoise
    let start: Float
    let steps: Float

    public init(_ source: any TokenNoise, start: Float, steps: Float) {
        self.source = source
        self.start = start
        self.steps = steps
    }

    public func draw(_ index: Int, shape: Shape) -> Tensor {
        let factor = index == 0 ? start : steps
        let noise = source.draw(index, shape: shape)
        return factor == 1 ? noise : noise * factor
    }
}

/// Draws token values from features; the "head" of masked autoregression at work.
public protocol TokenSampler: Sendable {
    /// - Parameters:
    ///   - features: `[R, D]`, one row per token to be drawn.
    ///   - reference: features of the same tokens without a condition, for guidance; nil without guidance.
    /// - Returns: `[R, w]`.
    func sample(
        features: Tensor, reference: Tensor?, guidance: Double, of predictor: any MaskedTokenPredictor,
        noise: any TokenNoise
    ) -> Tensor
}

/// Euler integration of a head that predicts velocities ε − x₀.
public struct FlowTokenSampler: TokenSampler {
    public var table: FlowTable
    public var stepCount: Int

    public init(table: FlowTable = FlowTable(), stepCount: Int = 25) {
        self.table = table
        self.stepCount = stepCount
    }

    public func sample(
        features: Tensor, reference: Tensor?, guidance: Double, of predictor: any MaskedTokenPredictor,
        noise: any TokenNoise
    ) -> Tensor {
        let rows = features.shape[0]
        var x = noise.draw(0, shape: [rows, predictor.tokenWidth])
        let condition = predictor.headCondition(
            reference.map { .concatenateSamples([features, $0]) } ?? features)
        let sigmas = table.samplingSigmas(steps: stepCount)
        for (sigma, next) in zip(sigmas, sigmas.dropFirst()) {
            let input = reference == nil ? x : Tensor.concatenateSamples([x, x])
            let time = Array(repeating: table.time(sigma), count: condition.shape[0])
            var velocity = predictor.head(input, time: time, condition: condition)
            if reference != nil {
                let (main, null) = (velocity.samples(0..<rows), velocity.samples(rows..<2 * rows))
                velocity = null + (main - null) * Float(guidance)
            }
            x = x + velocity * (next - sigma)
        }
        return x
    }
}
