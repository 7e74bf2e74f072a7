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
            let data = try TrainingConfiguration(file: path).data
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
}
