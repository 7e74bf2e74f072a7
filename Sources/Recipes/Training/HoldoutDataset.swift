import Images
import Tensors
import Training

/// A data set in two parts: what is learned from, and images kept aside to score samples with.
///
/// Which images are kept aside depends on the data set and their number only, never on a run's seed, so that every
/// run and every evaluation of the same data agree on them.
public struct HoldoutDataset: ImageDataset {
    private let base: any ImageDataset
    private let indices: [Int]

    /// - Throws: `DatasetError` when nothing would be left to learn from.
    public static func split(
        _ base: any ImageDataset, holdout: Int
    ) throws -> (training: any ImageDataset, heldOut: (any ImageDataset)?) {
        guard holdout > 0 else { return (base, nil) }
        guard holdout < base.count else {
            throw DatasetError(
                base.source, "\(holdout) of its \(base.count) images are to be held out, which leaves none",
                remedy: "lower data.holdout")
        }
        // A random order spreads over the classes as the data does.
        let order = RandomStream(seed: 0).stream(named: "holdout").permutation(count: base.count)
        return (
            HoldoutDataset(base: base, indices: order.dropFirst(holdout).sorted()),
            HoldoutDataset(base: base, indices: order.prefix(holdout).sorted())
        )
    }

    public var source: String { base.source }
    public var count: Int { indices.count }
    public var classNames: [String] { base.classNames }
    public func label(at index: Int) -> Int? { base.label(at: indices[index]) }
    public func name(at index: Int) -> String { base.name(at: indices[index]) }
    public func image(at index: Int) throws -> Image { try base.image(at: indices[index]) }
}
