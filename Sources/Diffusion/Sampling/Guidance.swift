/// Steering towards a class by the difference of two predictions.
public struct Guidance: Sendable {
    /// Which prediction is extrapolated away from.
    public enum Reference: Sendable {
        /// The same network without a label (classifier-free guidance, arXiv 2207.12598).
        case unconditional
        /// A smaller or less trained network with the same label (autoguidance, arXiv 2406.02507).
        case weakModel(any LatentModel)
    }

    public var reference: Reference
    /// w in reference + w·(main − reference); 1 changes nothing.
    public var scale: Double
    /// φ, how much of the guided output's contrast is put back to that of the plain prediction
    /// (arXiv 2305.08891, section 3.4; 0 for none, 0.7 is usual).
    public var rescale: Double
    /// Guide only where low < σ ≤ high (arXiv 2404.07724).
    public var sigmaInterval: (low: Double, high: Double)?
    /// Guide only in steps ⌊start·N⌋ ≤ i < ⌊stop·N⌋.
    public var stepInterval: (start: Double, stop: Double)?
    /// How many leading channels are guided; nil for all. The published DiCo and DiT numbers guide three.
    public var channels: Int?

    public init(
        reference: Reference = .unconditional, scale: Double, rescale: Double = 0,
        sigmaInterval: (low: Double, high: Double)? = nil, stepInterval: (start: Double, stop: Double)? = nil,
        channels: Int? = nil
    ) {
        self.reference = reference
        self.scale = scale
        self.rescale = rescale
        self.sigmaInterval = sigmaInterval
        self.stepInterval = stepInterval
        self.channels = channels
    }

    /// The paper's own form, main + w·(main − reference), which is a scale of w + 1.
    public static func original(scale: Double) -> Guidance { Guidance(scale: scale + 1) }

    /// Whether this step is guided.
    public func applies(at level: NoiseLevel, step: Int, of count: Int) -> Bool {
        if scale == 1 { return false }
        if let (low, high) = sigmaInterval, !(level.sigma > low && level.sigma <= high) { return false }
        if let (start, stop) = stepInterval {
            return step >= Int(start * Double(count)) && step < Int(stop * Double(count))
        }
        return true
    }

    /// Joins two outputs of `[N, H, W, C']`; channels that are not guided are the main prediction's.
    /// - Parameter dataChannels: C, so that variance channels are never guided.
    public func combine(main: Latent, reference: Latent, dataChannels: Int) -> Latent {
        let all = main.shape.channels
        let guided = min(channels ?? dataChannels, dataChannels)
        var result = main
        if guided == all {
            result = .combine((1 - scale, reference), (scale, main))
        } else {
            let rows = main.shape.rows
            result.values.withUnsafeMutableBufferPointer { result in
                reference.values.withUnsafeBufferPointer { reference in
                    for row in 0..<rows {
                        for i in row * all..<row * all + guided {
                            result[i] = reference[i] + scale * (result[i] - reference[i])
                        }
                    }
                }
            }
        }
        return rescale == 0 ? result : rescaled(result, to: main, dataChannels: dataChannels)
    }

    private func rescaled(_ guided: Latent, to main: Latent, dataChannels: Int) -> Latent {
        let wanted = main.channels(in: 0..<dataChannels).sampleDeviations
        let found = guided.channels(in: 0..<dataChannels).sampleDeviations
        let factors = zip(wanted, found).map { rescale * $0 / $1 + (1 - rescale) }
        let all = guided.shape.channels
        guard all != dataChannels else { return guided.scaled(perSample: factors) }
        var result = guided
        let size = guided.sampleSize
        for i in result.values.indices where i % all < dataChannels { result.values[i] *= factors[i / size] }
        return result
    }
}

extension Latent {
    /// Standard deviation of each sample over everything else, with n − 1.
    var sampleDeviations: [Double] {
        let size = sampleSize
        return (0..<sampleCount).map { sample in
            let slice = values[sample * size..<(sample + 1) * size]
            let mean = slice.reduce(0, +) / Double(size)
            let square = slice.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return (square / Double(max(size - 1, 1))).squareRoot()
        }
    }
}
