import Archives
import Checkpoints
import Tensors

/// What every kind of training does with its folder.
extension RunFolder {
    /// - Throws: `TrainingError` when there is a run already.
    func requireNoRun() throws {
        guard let newest = states().last else { return }
        throw TrainingError(
            "\(path): already holds a run, at step \(newest.step); continue it with --resume, or choose another --out"
        )
    }

    /// - Throws: `TrainingError` with the differences when a run is to go on with other settings than it began with.
    func requireSame<Configuration: Settings & Equatable>(_ old: Configuration, _ new: Configuration) throws {
        guard old != new else { return }
        let changes = SettingsNode.differences(old.node, new.node).prefix(4)
        throw TrainingError(
            "\(path): was trained with other settings, so it cannot be resumed: "
                + changes.joined(separator: ", ") + "; restore them, or choose another --out")
    }

    /// The finished weights alone, as `model.safetensors`.
    /// - Returns: where they are.
    func export(_ weights: [String: Tensor], config: JSONValue, step: Int) throws -> String {
        let file = joinPath(path, "model.safetensors")
        try Checkpoint.write(
            weights.map { OutgoingTensor(name: $0.key, $0.value) }, config: config,
            metadata: ["step": String(step)], to: file)
        return file
    }
}
