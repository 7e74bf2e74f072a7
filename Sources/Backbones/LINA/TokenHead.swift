import Layers
import Tensors

/// A small network that sees one noisy token, its features and the time.
protocol TokenHead: Sendable {
    /// The part of the condition that does not depend on time, `[R, D]` → `[R, W]`.
    func condition(_ features: Tensor) -> Tensor
    /// Noisy tokens `[R, w]` at R times → `[R, w']`.
    func callAsFunction(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor

    /// What is made of the times outside of tensors.
    func timeFeatures(_ times: [Float]) -> Tensor
    /// The same as for the times themselves.
    func callAsFunction(_ noisy: Tensor, timeFeatures: Tensor, condition: Tensor) -> Tensor
    /// Whether the parameters are being trained.
    var isTracked: Bool { get }
}

/// A head as samplers ask it, dozens of times for the same tokens: recorded once for each number of them and replayed
/// (`ReplayedFunction`). In training it is the head itself.
public struct ReplayedTokenHead: Sendable {
    private let head: any TokenHead
    private let replayed: ReplayedFunction

    init(_ head: any TokenHead) {
        self.head = head
        replayed = ReplayedFunction { [head($0[0], timeFeatures: $0[1], condition: $0[2])] }
    }

    public init(_ head: MARHead) { self.init(head as any TokenHead) }
    public init(_ head: FlowHead) { self.init(head as any TokenHead) }

    /// Calls that were replayed from a recording.
    public var replayCount: Int { replayed.replayCount }

    /// The part of the condition that does not depend on time, `[R, D]` → `[R, W]`.
    public func condition(_ features: Tensor) -> Tensor { head.condition(features) }

    /// Noisy tokens `[R, w]` at R times → `[R, w']`.
    public func callAsFunction(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        guard !head.isTracked, !noisy.isTracked, !condition.isTracked else {
            return head(noisy, time: time, condition: condition)
        }
        return replayed([noisy, head.timeFeatures(time), condition])[0]
    }
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
