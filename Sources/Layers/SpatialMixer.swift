import Tensors

/// The exchangeable seat in a backbone's block: whatever lets one position see others.
///
/// `[N, H, W, C]` → `[N, H, W, C]` for any H and W, with derivatives. DiCo's convolution module is one; linear
/// attention and other operators take the same seat.
public protocol SpatialMixer: Sendable {
    func callAsFunction(_ x: Tensor) -> Tensor

    /// The same where a network is tuned by its user.
    /// - Parameter tuning: the user's parameters, `[N, P]` or `[1, P]`; nil where there are none.
    func callAsFunction(_ x: Tensor, tuning: Tensor?) -> Tensor

    /// y = x + gate·mixer(norm(x)), and the feed-forward on y: the seat with what stands around it in a block. Mixers that
    /// can do all of it in fewer passes over memory have their own.
    /// - Parameters:
    ///   - gate: `[N, C]`, or `[C]` for all samples.
    ///   - feed: nil for none.
    func adding(
        to x: Tensor, normalizedBy norm: RowNormalization, gate: Tensor, tuning: Tensor?,
        feed: GatedFeedForward?
    ) -> Tensor
}

extension SpatialMixer {
    /// Mixers without tunable kernels do not look at the parameters.
    public func callAsFunction(_ x: Tensor, tuning: Tensor?) -> Tensor { self(x) }

    public func adding(
        to x: Tensor, normalizedBy norm: RowNormalization, gate: Tensor, tuning: Tensor?,
        feed: GatedFeedForward?
    ) -> Tensor {
        x.addingBranch(self(norm(x), tuning: tuning), gate: gate).addingFeedForward(feed)
    }
}
