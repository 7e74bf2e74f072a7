import Tensors

/// What every sampler and every training objective sees of a network: a prediction from something noisy.
///
/// What the prediction means (noise, velocity, clean image, with or without variance channels) is not the
/// network's business; the objective that trained it says so, and `Diffusion` converts.
public protocol Denoiser: Sendable {
    /// - Parameters:
    ///   - noisy: `[N, H, W, C]`, scaled as the objective demands.
    ///   - time: N network times, in the unit the network was trained with.
    ///   - labels: N class indices; nil asks for the unconditional ("null") prediction of that row.
    /// - Returns: `[N, H, W, C']`, C' ≥ C.
    func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor

    /// The network at one time and label, as a function of one row `[1, H, W, C]` alone: what depends on nothing else
    /// is computed here, once for all rows that share it. To the last bit it gives what `predict` gives. For sampling;
    /// nothing is recorded, and the weights must stay as they are while the function is in use.
    func prepared(time: Float, label: Int?) -> @Sendable (Tensor) -> Tensor
}

extension Denoiser {
    public func prepared(time: Float, label: Int?) -> @Sendable (Tensor) -> Tensor {
        { predict($0, time: [time], labels: [label]) }
    }
}
