import Checkpoints
import Layers
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

    /// Goes on from a saved state; without one, begins with a checkpoint's weights where a path is given.
    /// - Throws: `ParameterMismatch` when the state is another network's; what `begin` throws.
    func start(from state: TrainingState?, initialWeights: String?) throws {
        if let state { return try restore(state) }
        if let initialWeights { try begin(fromCheckpoint: initialWeights) }
    }

    /// Begins with the weights of a checkpoint, for the network as for its average, at step 0 and with no moments.
    /// - Throws: errors of the file; `CheckpointFileError` when it holds another network's weights.
    func begin(fromCheckpoint path: String) throws {
        let tensors = try Checkpoint(path: path).tensors
        let weights = Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
        let state = Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.name, $0.tensor) })
        do {
            let unexpected = weights.keys.filter { state["model." + $0] == nil }.sorted()
            guard unexpected.isEmpty else {
                throw ParameterMismatch(missing: [], unexpected: unexpected, misshapen: [])
            }
            try optimizer.restore(stepCount: 0) { name in
                let group = ["model.", "ema."].first(where: name.hasPrefix)
                return group.map { weights[String(name.dropFirst($0.count))] }
                    ?? state[name].map { .zeros($0.shape) }
            }
        } catch let error as ParameterMismatch {
            throw CheckpointFileError(
                file: path, problem: "does not fit the model that is to begin with it: \(error)")
        }
    }
}
