import Autoregression
import Backbones
import Layers

/// A LINA, drawn from by masked autoregression.
public struct MaskedModel: ImageModel {
    public let network: LINA
    public let masking: MaskingSettings

    public init(_ network: LINA, masking: MaskingSettings = .defaults) {
        self.network = network
        self.masking = masking
    }

    public func trainingTask(_ configuration: TrainingConfiguration) throws -> any TrainingTask {
        let (ratio, repeats) = (masking.ratio, masking.repeats)
        let objective: any MaskedObjective =
            if case .flow(let flow) = configuration.objective {
                MaskedFlowObjective(table: FlowTable(shift: flow.shift), ratio: ratio, repeats: repeats)
            } else {
                MaskedDiffusionObjective(
                    head: configuration.objective.makeObjective(), ratio: ratio, repeats: repeats)
            }
        let prompts = try configuration.data.prompts.map {
            try PromptFile(path: $0, width: network.configuration.textSize)
        }
        return MaskedTask(
            model: network, objective: objective, prompts: prompts?.prompts, seed: configuration.seed)
    }

    public func imageSampler(_ settings: SamplerSettings, objective: ObjectiveSettings) throws
        -> any ImageSampler
    {
        try MaskedSampler(network, settings, objective: objective)
    }
}
