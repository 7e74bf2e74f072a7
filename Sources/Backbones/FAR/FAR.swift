import Layers
import Tensors

/// FAR, continuous next-frequency generation on a latent's full grid at every level (arXiv 2503.05305;
/// yuhuUSTC/FAR, `models/far.py` with `mask=False`): MAR's network with every token known, and a head that is
/// told the level.
///
/// Parameters are MAR's and `diffloss.net.index_cond_embed`.
public struct FAR: Sendable {
    public let network: MAR
    private let level: Linear

    public init(_ scope: Scope, _ configuration: MARConfiguration) {
        network = MAR(scope, configuration)
        level = Linear(scope / "diffloss.net.index_cond_embed", 1, configuration.headSize)
    }

    /// What the head is told of each token, `[N, n, D]`.
    /// - Parameters:
    ///   - tokens: the image up to the last level, `[N, n, c]`.
    ///   - labels: nil for "no class".
    public func features(of tokens: Tensor, labels: [Int?]) -> Tensor {
        let all = Array(repeating: Array(0..<network.tokenGrid.count), count: tokens.shape[0])
        return network.features(of: tokens, visible: all, condition: network.condition(labels: labels))
    }

    /// The part of the head's condition that does not depend on time, `[R, D]` → `[R, W]`.
    public func headCondition(_ features: Tensor, level index: Int) -> Tensor {
        let rows = Tensor(repeating: Float(index), shape: [features.shape[0], 1])
        return network.diffusionHead.condition(features) + level(rows)
    }
}
