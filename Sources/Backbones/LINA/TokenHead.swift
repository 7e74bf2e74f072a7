import Layers
import Tensors

/// A small network that sees one noisy token, its features and the time.
protocol TokenHead: Sendable {
    /// The part of the condition that does not depend on time, `[R, D]` → `[R, W]`.
    func condition(_ features: Tensor) -> Tensor
    /// Noisy tokens `[R, w]` at R times → `[R, w']`.
    func callAsFunction(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor
}

extension FlowHead: TokenHead {}
extension MARHead: TokenHead {}

extension LINAConfiguration {
    func makeHead(_ scope: Scope) -> any TokenHead {
        switch head {
        case .flow:
            return FlowHead(
                scope, channels: inputChannels, patchSize: patchSize, conditionWidth: hiddenSize,
                width: headSize, depth: headDepth)
        case .diffusion:
            let channels = inputChannels * patchSize * patchSize
            return MARHead(
                scope / "net", channels: channels, outputs: 2 * channels, conditionWidth: hiddenSize,
                width: headSize, depth: headDepth)
        }
    }
}
