import Tensors

/// What masked autoregression sees of a network: an image as a grid of continuous tokens, predicted from those that are
/// known already, each token's value by a small diffusion head of its own.
public protocol MaskedTokenPredictor: Sendable {
    /// The image's tokens, in row-major order.
    var tokenGrid: TokenGrid { get }
    /// Scalars of a token: patch² · channels.
    var tokenWidth: Int { get }

    /// Features of every token, from the known ones.
    /// - Parameters:
    ///   - tokens: `[N, n, w]`; only those at `visible` matter.
    ///   - visible: what is known of each sample, equally many of all, in the order of generation.
    ///   - condition: what the image is to show, in the network's own form.
    /// - Returns: `[N, n, D]`.
    func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor

    /// What the head needs of features `[R, D]`, computed once for all its evaluations: `[R, D']`.
    func headCondition(_ features: Tensor) -> Tensor

    /// The head's answer to noisy tokens `[R, w]` at R times of its own unit: `[R, w']`, w' ≥ w.
    func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor
}
