import Synchronization
import Tensors

/// Makes any batch of the endless sequence of training samples, on any thread.
protocol SampleSource: Sendable {
    /// How many samples were found unreadable so far.
    var skippedCount: Int { get }
    /// The batch of samples `first ..< first + count`.
    func batch(from first: Int, count: Int) throws -> ImageBatch
}

/// Which sample of a data set stands where in the endless sequence of training samples.
///
/// Sample `s` belongs to epoch `s / count`; each epoch is a new permutation that depends on the seed and the epoch.
final class SampleOrder: Sendable {
    private let count: Int
    private let isShuffled: Bool
    private let stream: RandomStream
    /// The permutations of the latest epochs.
    private let permutations = Mutex<[Int: [Int]]>([:])

    init(count: Int, seed: UInt64, isShuffled: Bool) {
        (self.count, self.isShuffled) = (count, isShuffled)
        stream = RandomStream(seed: seed).stream(named: "order")
    }

    /// The place in the data set of a sample of the sequence.
    func index(of sample: Int) -> Int {
        let (epoch, place) = sample.quotientAndRemainder(dividingBy: count)
        guard isShuffled else { return place }
        return permutations.withLock { permutations in
            if let known = permutations[epoch] { return known[place] }
            let permutation = stream.stream(UInt64(epoch)).permutation(count: count)
            // A batch may straddle two epochs, and threads may be a batch apart.
            permutations = permutations.filter { abs($0.key - epoch) <= 1 }
            permutations[epoch] = permutation
            return permutation[place]
        }
    }
}
