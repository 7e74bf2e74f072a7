import Tensors

/// The parametric multi-loss of tunable convolutions (arXiv 2304.00898): the same user parameters ω mix the kernels
/// and the objectives, L = mean over samples of Σᵢ ωᵢ·Lᵢ.
public struct ParametricLoss: Sendable, Hashable {
    /// What an objective compares the prediction with.
    public enum Target: String, Sendable, Codable, CaseIterable {
        case clean
        /// The noisy input itself: keeps the noise, and with it detail.
        case noisy
    }

    /// One objective.
    public struct Term: Sendable, Hashable {
        public var loss: RestorationLoss
        public var target: Target

        public init(_ loss: RestorationLoss, to target: Target) { (self.loss, self.target) = (loss, target) }
    }

    public var terms: [Term]

    public init(_ terms: [Term]) { self.terms = terms }

    /// A denoiser with a strength knob: ω = (s, 1 − s). Squared or Charbonnier losses make the result blend linearly
    /// with s; with L1 its best response is a step at s = ½.
    public static func strength(_ loss: RestorationLoss) -> ParametricLoss {
        ParametricLoss([Term(loss, to: .clean), Term(loss, to: .noisy)])
    }

    /// - Returns: every objective of every sample, `[N, P]`.
    public func values(_ prediction: Tensor, clean: Tensor, noisy: Tensor) -> Tensor {
        .concatenateChannels(
            terms.map { $0.loss.perSample(prediction, $0.target == .clean ? clean : noisy) })
    }

    /// - Parameters:
    ///   - values: `[N, P]`.
    ///   - tuning: ω, `[N, P]`.
    /// - Returns: the loss, shape `[]`.
    public static func combined(_ values: Tensor, tuning: Tensor) -> Tensor {
        (values * tuning).sum() / Float(max(1, values.shape[0]))
    }

    /// ω for training a strength knob: s uniform in 0…1, and each end alone with probability 0.1.
    /// - Returns: (s, 1 − s).
    public static func drawStrength(_ stream: RandomStream) -> [Float] {
        let choice = stream.uniform(at: 0)
        let s: Float = choice < 0.1 ? 1 : choice < 0.2 ? 0 : stream.stream(1).uniform(at: 0)
        return [s, 1 - s]
    }
}
