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
}

/// A denoiser whose time and label reach the pixels only through vectors that are made of them first.
///
/// Sampling then makes the vectors once for all rows that share them, and evaluates rows of different conditions
/// together. To the last bit both functions give for one row what `predict` gives. For sampling: there is no derivative.
public protocol ConditionedDenoiser: Denoiser {
    /// What the network makes of N times and labels: tensors whose first extent is N.
    func conditioning(time: [Float], labels: [Int?]) -> [Tensor]

    /// - Parameter conditioning: those tensors for the N rows of `noisy`.
    func predict(_ noisy: Tensor, conditioning: [Tensor]) -> Tensor
}
