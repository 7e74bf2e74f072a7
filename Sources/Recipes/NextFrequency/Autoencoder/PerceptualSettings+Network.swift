import Checkpoints
import Metrics

extension PerceptualSettings {
    /// - Throws: `ConfigurationError` without weights; `FileError`, `CheckpointFileError` when a file is not VGG's.
    func network() throws -> PerceptualDistance {
        try validate()
        return try PerceptualDistance(.vgg, trunkPath: trunk ?? "", headPath: heads)
    }
}
