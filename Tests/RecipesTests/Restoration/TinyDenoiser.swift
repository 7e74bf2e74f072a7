import Archives
import Backbones
import Checkpoints
import Layers
import Recipes
import Tensors

/// Restoration networks of a few hundred numbers, freshly drawn, as files.
enum TinyDenoiser {
    static let chain = RestorationNetwork.dncnn(
        DnCNNConfiguration(depth: 4, width: 4, hasBatchNorm: false))
    static let toldChain = RestorationNetwork.dncnn(.fdncnn(depth: 3, width: 4))
    static let halved = RestorationNetwork.ffdnet(.init(imageChannels: 1, depth: 3, width: 4))
    static let colour = RestorationNetwork.dncnn(
        DnCNNConfiguration(imageChannels: 3, depth: 3, width: 4, hasBatchNorm: false))
    static let residualU = RestorationNetwork.drunet(
        .init(imageChannels: 1, widths: [2, 2, 2, 2], blockCount: 1))

    /// - Parameter change: of the drawn parameters.
    static func write(
        _ network: RestorationNetwork, to path: String, change: (Tensor) -> Tensor = { $0 }
    ) throws {
        let store = ParameterStore(.initialized(seed: 3), isTracked: false)
        _ = network.makeRestorer(store.scope)
        let tensors = (store.all + store.buffers).map { OutgoingTensor(name: $0.name, change($0.tensor)) }
        try SafetensorsFile.write(tensors, metadata: [:], to: path)
    }
}
