import Layers
import Synchronization
import Tensors
import Testing

@Suite struct RowwiseDenoiserTests {
    /// Adds time and label to every scalar, and counts how often it was prepared.
    private final class Counting: Denoiser {
        let preparations = Mutex(0)

        func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
            precondition(noisy.shape[0] == 1, "rows come alone")
            return noisy + Tensor(repeating: time[0] + Float(labels[0] ?? -1), shape: noisy.shape)
        }

        func prepared(time: Float, label: Int?) -> @Sendable (Tensor) -> Tensor {
            preparations.withLock { $0 += 1 }
            return { [self] in predict($0, time: [time], labels: [label]) }
        }
    }

    private let input = RandomStream(seed: 1).normals([4, 2, 2, 3])

    private func expectSums(_ rows: RowwiseDenoiser, time: [Float], labels: [Int?]) {
        let output = rows.predict(input, time: time, labels: labels)
        for row in 0..<4 {
            let expected = input.samples(row..<row + 1) + (time[row] + Float(labels[row] ?? -1))
            #expect(output.samples(row..<row + 1).scalars == expected.scalars)
        }
    }

    @Test func `every row gets its own time and label, also after calls with others`() {
        let rows = RowwiseDenoiser(Counting())
        expectSums(rows, time: [1, 1, 2, 2], labels: [0, nil, 0, nil])
        expectSums(rows, time: [2, 2, 3, 3], labels: [nil, 0, 5, 0])
        expectSums(rows, time: [1, 1, 2, 2], labels: [0, nil, 0, nil])
    }

    @Test func `rows that share a condition share its preparation, and so does the next call`() {
        let network = Counting()
        let rows = RowwiseDenoiser(network)
        _ = rows.predict(input, time: [1, 1, 1, 1], labels: [3, 3, nil, nil])
        #expect(network.preparations.withLock { $0 } == 2)
        _ = rows.predict(input, time: [1, 1, 1, 1], labels: [nil, 3, 3, 4])
        #expect(network.preparations.withLock { $0 } == 3)
    }

    @Test func `no rows give no rows`() {
        let empty = Tensor.zeros([0, 2, 2, 3])
        struct Nothing: Denoiser {
            func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor { noisy }
        }
        #expect(RowwiseDenoiser(Nothing()).predict(empty, time: [], labels: []).shape == [0, 2, 2, 3])
    }
}
