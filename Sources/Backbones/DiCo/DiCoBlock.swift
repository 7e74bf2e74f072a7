import Layers
import Tensors

/// DiCo's block: modulated norm → spatial mixer → gated residual, then modulated norm → pointwise feed-forward →
/// gated residual, all six modulation vectors from the condition (adaLN-zero).
///
/// `[N, H, W, C]`, condition `[N, C]` → `[N, H, W, C]`. Parameters `adaLN_modulation.1`, those of the mixer, `conv4`,
/// `conv5`.
public struct DiCoBlock: Sendable {
    /// Added to the variance by every norm of the network.
    public static let epsilon: Float = 1e-6

    let modulation: Linear
    let mixer: any SpatialMixer
    let feedForward: FeedForward
    private let recomputation: Recomputation

    /// - Parameters:
    ///   - kernel: of all convolutions of the block.
    ///   - makeMixer: what takes the mixer's seat; nil for the convolution module.
    public init(
        _ scope: Scope, channels: Int, mlpRatio: Double, kernel: ConvolutionKernel = .standard,
        mixer makeMixer: ((Scope, Int) -> any SpatialMixer)? = nil
    ) {
        let hidden = Int(mlpRatio * Double(channels))
        mixer =
            makeMixer?(scope, channels) ?? ConvolutionMixer(scope, channels: channels, kernel: kernel)
        feedForward = FeedForward(
            widen: Convolution(scope / "conv4", channels, hidden, kernel: 1, form: kernel),
            activation: .gelu,
            narrow: Convolution(scope / "conv5", hidden, channels, kernel: 1, form: kernel))
        modulation = Linear(
            scope / "adaLN_modulation.1", channels, Self.modulationCount * channels, weight: .zeros)
        recomputation = Recomputation(scope)
    }

    /// What parity cases record on the way through a block whose mixer is the convolution module.
    public struct Trace {
        public var modulated: Tensor
        public var activated: Tensor
        /// `[N, C]`
        public var gate: Tensor
        public var afterMixer: Tensor
        public var result: Tensor
    }

    /// The block's intermediate values beside its result.
    public func trace(_ x: Tensor, condition c: Tensor) -> Trace? {
        guard let mixer = mixer as? ConvolutionMixer else { return nil }
        let m = modulationVectors(c)
        let modulated = x.layerNorm(shift: m[0], scale: m[1], epsilon: Self.epsilon)
        let activated = gelu(mixer.mix(mixer.expand(modulated)))
        return Trace(
            modulated: modulated, activated: activated, gate: mixer.gate(activated),
            afterMixer: x.addingGated(mixer(modulated), gate: m[2]), result: self(x, condition: c))
    }

    /// Shift, scale and gate, for each half of the block.
    static let modulationCount = 6

    /// What the block takes from the condition: shift, scale and gate, twice, each `[N, C]`.
    func modulationVectors(_ c: Tensor) -> [Tensor] { modulation(silu(c)).chunks(Self.modulationCount) }

    /// - Parameter tuning: the user's parameters of tunable kernels, `[N, P]` or `[1, P]`.
    public func callAsFunction(_ x: Tensor, condition c: Tensor, tuning: Tensor? = nil) -> Tensor {
        self(x, modulation: modulationVectors(c), tuning: tuning)
    }

    /// - Parameter m: the block's `modulationVectors`.
    func callAsFunction(_ x: Tensor, modulation m: [Tensor], tuning: Tensor? = nil) -> Tensor {
        recomputation([x] + m + (tuning.map { [$0] } ?? [])) { inputs in
            let m = Array(inputs[1...Self.modulationCount])
            return result(inputs[0], m, tuning == nil ? nil : inputs.last)
        }
    }

    private func result(_ x: Tensor, _ m: [Tensor], _ tuning: Tensor?) -> Tensor {
        func norm(_ shift: Tensor, _ scale: Tensor) -> RowNormalization {
            RowNormalization(shift: shift, scale: scale, epsilon: Self.epsilon)
        }
        let feed = feedForward.layers(normalizedBy: norm(m[3], m[4]), gate: m[5], tuning: tuning)
        let y = mixer.adding(
            to: x, normalizedBy: norm(m[0], m[1]), gate: m[2], tuning: tuning, feed: feed)
        if feed != nil { return y }
        return feedForward.adding(to: y, normalizedBy: norm(m[3], m[4]), gate: m[5], tuning: tuning)
    }
}
