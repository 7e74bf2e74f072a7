/// A network with everything between its raw output and what a solver wants: guidance, the meaning of the
/// output, clipping.
public struct GuidedModel: Sendable {
    public var model: any LatentModel
    public var prediction: Prediction
    public var guidance: Guidance?
    public var clipping: Clipping
    /// Whether ε̂ follows a clipped x̂₀ (ADM) or stays as the network gave it (diffusers' DDIM).
    public var clipsNoise: Bool
    /// One class per sample; nil samples without one.
    public var labels: [Int?]

    public init(
        _ model: any LatentModel, prediction: Prediction, labels: [Int?], guidance: Guidance? = nil,
        clipping: Clipping = .none, clipsNoise: Bool = true
    ) {
        self.model = model
        self.prediction = prediction
        self.labels = labels
        self.guidance = guidance
        self.clipping = clipping
        self.clipsNoise = clipsNoise
    }

    /// What the model believes of x `[N, H, W, C]` at `level`, in step `step` of `count`.
    public func estimate(_ x: Latent, at level: NoiseLevel, step: Int, of count: Int) -> Estimate {
        let channels = x.shape.channels
        let raw = guidedOutput(x, at: level, step: step, of: count)
        let output = raw.channels(in: 0..<channels)
        let variance = raw.shape.channels > channels ? raw.channels(in: channels..<raw.shape.channels) : nil
        var clean = prediction.clean(from: output, x: x, at: level)
        var noise = prediction.noise(from: output, x: x, at: level)
        if clipping != .none {
            clean = clipping(clean)
            if clipsNoise && level.noise > 0 {
                noise = .combine((1 / level.noise, x), (-level.signal / level.noise, clean))
            }
        }
        return Estimate(clean: clean, noise: noise, variance: variance, output: output)
    }

    private func guidedOutput(_ x: Latent, at level: NoiseLevel, step: Int, of count: Int) -> Latent {
        guard let guidance, guidance.applies(at: level, step: step, of: count) else {
            return model.output(x, at: level, labels: labels)
        }
        let (main, reference): (Latent, Latent)
        switch guidance.reference {
        case .unconditional:
            let both = model.output(
                x.appending(x), at: level, labels: labels + Array(repeating: nil, count: labels.count))
            main = both.samples(in: 0..<x.sampleCount)
            reference = both.samples(in: x.sampleCount..<2 * x.sampleCount)
        case .weakModel(let weak):
            main = model.output(x, at: level, labels: labels)
            reference = weak.output(x, at: level, labels: labels)
        }
        return guidance.combine(main: main, reference: reference, dataChannels: x.shape.channels)
    }
}
