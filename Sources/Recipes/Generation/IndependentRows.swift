import Diffusion
import Dispatch
import Synchronization
import Tensors

/// Evaluates each row of a batch as a batch of one on one thread.
///
/// The numbers of an image then depend neither on its neighbours in the batch nor on the number of threads, which only
/// decides how many rows are computed at once.
struct IndependentRows: LatentModel {
    let model: any LatentModel
    /// Rows computed at once.
    let threads: Int

    func output(_ x: Latent, at level: NoiseLevel, labels: [Int?]) -> Latent {
        let rows = concurrentMap(x.sampleCount, threads: threads) { row in
            model.output(x.samples(in: row..<row + 1), at: level, labels: [labels[row]])
        }
        guard let first = rows.first else { return x }
        return Latent(
            shape: Shape([rows.count] + first.shape.extents.dropFirst()), values: rows.flatMap(\.values))
    }
}

/// `transform` of 0..<count, `threads` at a time, each computing on its own thread alone.
func concurrentMap<Value: Sendable>(
    _ count: Int, threads: Int, _ transform: @Sendable (Int) -> Value
) -> [Value] {
    let results = Mutex([Value?](repeating: nil, count: count))
    let next = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: min(max(threads, 1), max(count, 1))) { _ in
        let former = ComputeThreads.count
        ComputeThreads.setCount(1)
        defer { ComputeThreads.setCount(former) }
        while true {
            let index = next.withLock { next in
                defer { next += 1 }
                return next
            }
            guard index < count else { return }
            let value = transform(index)
            results.withLock { $0[index] = value }
        }
    }
    return results.withLock { $0.compactMap(\.self) }
}
