import Images
import Metrics
import Training

/// Real data to compare with, opened.
struct EvaluationReference {
    let images: (any ImageSource)?
    let heldOut: (any ImageSource)?
    let statistics: SampleSetMeasures?

    /// - Parameters:
    ///   - path: images, statistics, or a file of `configs/` whose data is taken.
    ///   - heldOut: real images outside the reference; nil takes `holdout` of them out of it.
    ///   - limit: at most so many reference images, drawn evenly.
    init(_ path: String, heldOut: String?, holdout: Int, limit: Int) throws {
        let apart = try heldOut.map(SampleSet.open)
        let split: (training: any ImageDataset, heldOut: (any ImageDataset)?)
        if path.hasSuffix(".yaml") {
            let data = try Self.data(of: path)
            let base = PreparedDataset(base: try data.specification.open(), preparation: data.preparation)
            split = try HoldoutDataset.split(base, holdout: data.holdout)
            statistics = nil
        } else {
            let set = try SampleSet(path: path)
            statistics = set.statistics
            guard let base = set.images else {
                (images, self.heldOut) = (nil, nil)
                return
            }
            // Images beside statistics are a part of the data already, so none is taken away from them.
            let taken = apart == nil && statistics == nil ? min(holdout, base.count / 2) : 0
            split = try HoldoutDataset.split(base, holdout: taken)
        }
        images = DatasetSource(dataset: Subset(split.training, limit: limit))
        self.heldOut = (apart ?? split.heldOut).map {
            DatasetSource(dataset: Subset($0, limit: max(2, holdout)))
        }
    }
    /// Images alone, for scores that need no others.
    init(_ images: any ImageSource) { (self.images, heldOut, statistics) = (images, nil, nil) }

    /// The images of a path; of a file of `configs/` those it holds out of its training, where it does.
    static func reals(_ path: String) throws -> any ImageDataset {
        guard path.hasSuffix(".yaml") else { return try SampleSet.open(path) }
        let data = try Self.data(of: path)
        let split = try HoldoutDataset.split(data.specification.open(), holdout: data.holdout)
        return split.heldOut ?? split.training
    }

    /// What a file of `configs/` says of its data.
    private static func data(of path: String) throws -> DataSettings {
        let node = try SettingsNode(yamlFile: path)
        return AutoencoderConfiguration.describes(node)
            ? try AutoencoderConfiguration(node).data : try TrainingConfiguration(node).data
    }
}
