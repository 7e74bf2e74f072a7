import Checkpoints
import Layers
import Tensors

/// A network that `Benchmarks/peers` builds as well, in PyTorch and under the same parameter names, so that both sides
/// can compute the same thing.
struct PeerNetwork: Sendable {
    /// What goes in.
    struct Input: Sendable {
        /// Images `[N, H, W, C]` or tokens `[N, L, C]`.
        var x: Tensor
        /// One network time and one label per sample, where the network is told them; a label as large as the number
        /// of classes stands for none.
        var time: [Float] = []
        var labels: [Int] = []
    }

    typealias Function = @Sendable (Input) -> Tensor

    let name: String
    /// What the other side builds the network from; `kind` says which.
    let configuration: JSONValue
    /// Labels, the one for none not counted; nil for a network that is told neither time nor label.
    var classCount: Int?
    /// Channels of the result; nil for as many as go in.
    var outputChannels: Int?
    let parameters: @Sendable () throws -> [String: Tensor]
    /// The network as it is used once trained: constant factors folded into weights.
    /// - Parameter rowwise: each sample on a thread of its own, as sampling does it.
    let inference: @Sendable (_ parameters: [String: Tensor], _ rowwise: Bool) throws -> Function
    /// The network in training; nil for one that is never trained.
    var training: (@Sendable (Scope) -> Function)?

    /// The same numbers in every process.
    /// - Parameters:
    ///   - shape: of `Input.x`.
    ///   - isGuided: all samples at one time, the second half without a label, as a guided sampler asks.
    func input(_ shape: Shape, isGuided: Bool = false) -> Input {
        let count = shape[0]
        var input = Input(x: RandomStream(seed: 5).normals(shape))
        guard let classCount else { return input }
        input.time = (0..<count).map { isGuided ? 500 : Float($0 * 997 % 1000) }
        input.labels = (0..<count).map { isGuided && $0 >= count / 2 ? classCount : $0 % max(1, classCount) }
        return input
    }

    /// Parameters as a fresh model has them, but with small numbers where it begins with zeros: a network whose
    /// branches are all multiplied by zero would agree with anything.
    static func generatedParameters(_ build: (Scope) -> Void) -> [String: Tensor] {
        let store = ParameterStore(.initialized(seed: 1), isTracked: false)
        build(store.scope)
        var result: [String: Tensor] = [:]
        for (name, tensor) in store.all + store.buffers {
            let isZero = tensor.shape.rank > 0 && tensor.scalars.allSatisfy { $0 == 0 }
            result[name] =
                isZero ? RandomStream(seed: 2).stream(named: name).normals(tensor.shape) * 0.1 : tensor
        }
        return result
    }
}
