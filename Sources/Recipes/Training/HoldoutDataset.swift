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
        guard let split = try Self.places(base, holdout: holdout) else { return (base, nil) }
        return (
            HoldoutDataset(base: base, indices: split.reference),
            HoldoutDataset(base: base, indices: split.heldOut)
        )
    }

    /// Which samples are learned from, and which are kept aside; nil when none are.
    /// - Throws: `DatasetError` when more than half would be held out.
    static func places(_ base: any SampleDataset, holdout: Int) throws -> HeldOutSplit? {
        guard holdout > 0 else { return nil }
        guard holdout <= base.count / 2 else {
            throw DatasetError(
                base.source, "\(holdout) of its \(base.count) images are to be held out, more than half",
                remedy: "lower data.holdout")
        }
        return HeldOutSplit(count: base.count, heldOutCount: holdout)
    }

    public var source: String { base.source }
    public var count: Int { indices.count }
    public var classNames: [String] { base.classNames }
    public func label(at index: Int) -> Int? { base.label(at: indices[index]) }
    public func name(at index: Int) -> String { base.name(at: indices[index]) }
    public func image(at index: Int) throws -> Image { try base.image(at: indices[index]) }
}
