import Archives
import Backbones
import Checkpoints
import Layers
import Recipes
import Tensors
import TestSupport
import Testing

/// Training that computes activations twice instead of keeping them.
@Suite struct RecomputationTests {
    private func trained(_ model: String, recomputation: Bool, _ folder: String) throws -> [UInt8] {
        let yaml = """
            {model: \(model), data: {kind: shapes, count: 16, size: 8}, objective: flow, batchSize: 4, steps: 3,
            optimizer: {average: {decay: 0.5}}, samples: {every: 0}, checkpoints: {every: 3},
            log: {every: 1, tensorBoard: false}}
            """
        let settings = try SettingsNode(yaml: yaml, name: "small", hasLines: false)
        var configuration = try TrainingConfiguration(settings)
        configuration.recomputation = recomputation
        let run = try TrainingRun(
            TrainingPlan(configuration, origin: "small"), folder: RunFolder(path: folder), resume: false
        ) { _ in }
        #expect(try run.run { false } == .finished)
        let state = try Checkpoint(path: joinPath(folder, "model.safetensors"))
        return state.tensors.sorted { $0.name < $1.name }.flatMap(\.bytes.array)
    }

    @Test(arguments: [
        "{kind: dico, inputChannels: 3, hiddenSize: 8, depth: [1, 1, 1, 0, 1], classCount: 10, learnSigma: false}",
        "{kind: dico, inputChannels: 3, hiddenSize: 8, depth: [1, 0, 1, 0, 1], classCount: 10, learnSigma: false, "
            + "mixer: linearAttention, mixerHeadSize: 8, mixerGateSize: 8}",
        "{kind: lina, inputChannels: 3, height: 8, width: 8, patchSize: 2, hiddenSize: 16, heads: 2, "
            + "conditionDepth: 1, depth: 2, headDepth: 1, headSize: 16, classCount: 10, "
            + "conditionHeight: 1, conditionWidth: 1}",
    ]) func `a run learns the same bits`(_ model: String) throws {
        try withTemporaryFolder { folder in
            let kept = try trained(model, recomputation: false, joinPath(folder, "kept"))
            #expect(try trained(model, recomputation: true, joinPath(folder, "again")) == kept)
        }
    }

    @Test func `a NAFNet's gradients have the same bits`() throws {
        let configuration = NAFNetConfiguration(
            imageChannels: 3, width: 8, encoderBlocks: [1], middleBlocks: 1, decoderBlocks: [1])
        let x = RandomStream(seed: 1).uniforms([2, 16, 16, 3])
        func gradients(_ recomputes: Bool) -> [[Float]] {
            let store = ParameterStore(
                .initialized(seed: 1), isTracked: true, recomputesActivations: recomputes)
            let network = NAFNet(store.scope, configuration)
            // Branches begin at zero, behind which nothing would have a gradient.
            for (name, tensor) in store.all where name.hasSuffix("beta") || name.hasSuffix("gamma") {
                tensor.assign(Tensor(repeating: 0.5, shape: tensor.shape))
            }
            let found = network.restore(x, RestorationCondition(), isTraining: true).gradients()
            return store.all.map { found[$0.tensor]?.scalars ?? [] }
        }
        let kept = gradients(false)
        #expect(kept.allSatisfy { !$0.isEmpty })
        #expect(gradients(true) == kept)
    }
}
