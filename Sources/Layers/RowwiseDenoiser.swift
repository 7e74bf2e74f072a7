import Synchronization
import Tensors

/// Evaluates a network one row at a time, rows side by side on the pool's threads.
///
/// A row's prediction then depends on that row alone, to the last bit: not on the batch it came in, and not on the
/// thread count. For sampling; nothing is recorded for a backward pass, and the network's weights must not change during
/// the value's life.
public struct RowwiseDenoiser: Denoiser {
    public let network: any Denoiser
    private let conditions = PreparedConditions()

    public init(_ network: any Denoiser) { self.network = network }

    public func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        let count = noisy.shape[0]
        let rows = Mutex([Tensor?](repeating: nil, count: count))
        let input = noisy.detached
        let functions = conditions.functions(zip(time, labels).map(RowCondition.init), of: network)
        ComputeThreads.concurrently(count) { row in
            let output = functions[row](input.samples(row..<row + 1))
            rows.withLock { $0[row] = output.detached }
        }
        let outputs = rows.withLock { $0.compactMap { $0 } }
        return outputs.isEmpty
            ? network.predict(noisy, time: time, labels: labels) : .concatenateSamples(outputs)
    }
}

/// What a row is told beside its pixels.
private struct RowCondition: Hashable, Sendable {
    let time: Float
    let label: Int?
}

/// A network prepared for the conditions of the last call: the rows of a batch share them, and so do solvers that ask
/// twice at one level. Earlier ones are dropped, so that a long run holds no more than a short one.
private final class PreparedConditions: Sendable {
    typealias Function = @Sendable (Tensor) -> Tensor

    private let latest = Mutex<[RowCondition: Function]>([:])

    /// One function for each row.
    func functions(_ rows: [RowCondition], of network: any Denoiser) -> [Function] {
        let known = latest.withLock { $0 }
        let missing = Array(Set(rows).subtracting(known.keys))
        let made = Mutex<[RowCondition: Function]>([:])
        // Each on one thread, as rows are: the bytes then depend on the condition alone.
        ComputeThreads.concurrently(missing.count) { index in
            let function = network.prepared(time: missing[index].time, label: missing[index].label)
            made.withLock { $0[missing[index]] = function }
        }
        let all = known.filter { Set(rows).contains($0.key) }.merging(made.withLock { $0 }) { $1 }
        latest.withLock { $0 = all }
        return rows.map { row in
            all[row] ?? { network.predict($0, time: [row.time], labels: [row.label]) }
        }
    }
}
