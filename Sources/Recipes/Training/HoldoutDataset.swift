import Images
import Metrics
import Training

/// A data set in two parts: what is learned from, and images kept aside to score samples with.
///
/// Which images are kept aside depends on the data set and their number only, never on a run's seed, so that every
/// run and every evaluation of the same data agree on them.
public struct HoldoutDataset: ImageDataset {
    private let base: any ImageDataset
    private let indices: [Int]

    /// - Throws: `DatasetError` when more than half would be held out.
    public static func split(
        _ base: any ImageDataset, holdout: Int
    ) throws -> (training: any ImageDataset, heldOut: (any ImageDataset)?) {
        guard holdout > 0 else { return (base, nil) }
        guard holdout <= base.count / 2 else {
            throw DatasetError(
                base.source, "\(holdout) of its \(base.count) images are to be held out, more than half",
                remedy: "lower data.holdout")
        }
        let split = HeldOutSplit(count: base.count, heldOutCount: holdout)
        return (
            HoldoutDataset(base: base, indices: split.reference),
            HoldoutDataset(base: base, indices: split.heldOut)
        )
    }

    public var source: String { base.source }
    public var count: Int { indices.count }
    public var classNames: [String] { base.classNames }
    public func label(at index: Int) -> Int? { base.label(at: indices[index]) }
    public func name(at index: Int) -> String { base.name(at: indices[index]) }
    public func image(at index: Int) throws -> Image { try base.image(at: indices[index]) }
}
