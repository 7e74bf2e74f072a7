import Checkpoints
import Tensors
import Training

/// Between the optimiser's tensors and a run's files.
extension Trainer {
    func state(config: JSONValue, imagesPerStep: Int) -> TrainingState {
        let tensors = Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.name, $0.tensor) })
        func group(_ prefix: String) -> [String: Tensor] {
            let members = tensors.filter { $0.key.hasPrefix(prefix) }
            return Dictionary(
                uniqueKeysWithValues: members.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
        }
        return TrainingState(
            step: stepCount, config: config, model: group("model."),
            ema: group("ema."), firstMoments: group("optimizer.m."), secondMoments: group("optimizer.v."),
            dataPosition: ["samples": .integer(stepCount * imagesPerStep)])
    }

    /// - Throws: `ParameterMismatch` when the state is another network's.
    func restore(_ state: TrainingState) throws {
        let groups = [
            ("model.", state.model), ("ema.", state.ema), ("optimizer.m.", state.firstMoments),
            ("optimizer.v.", state.secondMoments),
        ]
        try optimizer.restore(stepCount: state.step) { name in
            groups.first { name.hasPrefix($0.0) }.flatMap { prefix, group in
                group[String(name.dropFirst(prefix.count))]
            }
        }
    }
}
