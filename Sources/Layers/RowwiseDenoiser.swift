import Synchronization
import Tensors

/// Evaluates a network one row at a time, rows side by side on the pool's threads.
///
/// A row's prediction then depends on that row alone, to the last bit: not on the batch it came in, and not on the
/// thread count. For sampling; nothing is recorded for a backward pass.
public struct RowwiseDenoiser: Denoiser {
    public let network: any Denoiser

    public init(_ network: any Denoiser) { self.network = network }

    public func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
        let count = noisy.shape[0]
        let rows = Mutex([Tensor?](repeating: nil, count: count))
        let input = noisy.detached
        ComputeThreads.concurrently(count) { row in
            let output = network.predict(
                input.samples(row..<row + 1), time: [time[row]], labels: [labels[row]])
            rows.withLock { $0[row] = output.detached }
        }
        let outputs = rows.withLock { $0.compactMap { $0 } }
        return outputs.isEmpty
            ? network.predict(noisy, time: time, labels: labels) : .concatenateSamples(outputs)
    }
}
