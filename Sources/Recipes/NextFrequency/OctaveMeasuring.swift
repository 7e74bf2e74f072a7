import Autoregression
import Checkpoints
import Layers
import Tensors
import Training

extension NextFrequencyConfiguration {
    /// Images that the sizes of the bands are measured on at most.
    static let measuredImageCount = 10_000

    /// The same with the sizes of the bands measured on a data set, where they are not given.
    /// - Parameters:
    ///   - preparation: brings images to the size of the finest grid; variations are left out.
    ///   - onSkip: called for a file that cannot be read.
    /// - Throws: errors of reading the data.
    func measured(
        on dataset: any ImageDataset, _ preparation: ImagePreparation, onBadImage: BadImagePolicy,
        onSkip: @escaping @Sendable (SkippedImage) -> Void
    ) throws -> NextFrequencyConfiguration {
        guard normalization == nil else { return self }
        var preparation = preparation
        (preparation.horizontalFlip, preparation.dihedral, preparation.shift) = (false, false, 0)
        let subset = Subset(dataset, limit: Self.measuredImageCount)
        let size = min(128, subset.count)
        let loader = try DataLoader(
            subset, preparation,
            DataLoaderOptions(batchSize: max(1, size), shuffle: false, onBadImage: onBadImage), onSkip: onSkip
        )
        defer { loader.stop() }
        var measurement = try OctaveTokenizer.Measurement(grids: grids, channels: channels)
        for first in stride(from: 0, to: subset.count, by: max(1, size)) {
            let images = try loader.next().images
            measurement.add(images.samples(0..<min(size, subset.count - first)))
        }
        var result = self
        result.normalization = measurement.normalization
        return result
    }

    /// The same with the sizes of the bands of a checkpoint that a training begins with.
    /// - Throws: `CheckpointFileError` when the checkpoint has another pyramid, or none.
    func normalized(as other: ModelSettings, of path: String) throws -> NextFrequencyConfiguration {
        guard case .nextFrequency(let other) = other else {
            throw CheckpointFileError(
                file: path,
                problem: "is a \(other.name), not the next-frequency model that is to begin with it")
        }
        do {
            try FrequencyPyramid(.octaves(grids)).requireSame(
                as: FrequencyPyramid(.octaves(other.grids)), this: "the configuration", that: "the checkpoint"
            )
        } catch let error as PyramidMismatch {
            throw CheckpointFileError(
                file: path, problem: "does not fit the model that is to begin with it: \(error)")
        }
        var result = self
        result.normalization = other.normalization
        return result
    }
}
