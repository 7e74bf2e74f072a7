import Layers
import Synchronization
import Tensors
import Testing

@Suite struct RowwiseDenoiserTests {
    /// Adds time and label to every scalar, and counts how often they were prepared. With a defect that rows given
    /// together show, and rows alone do not, or none.
    private final class Counting: ConditionedDenoiser {
        let preparations = Mutex(0)
        let largestGroup = Mutex(0)
        let isExact: Bool

        init(isExact: Bool = true) { self.isExact = isExact }

        func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor {
            .concatenateSamples(
                time.indices.map { row in
                    predict(
                        noisy.samples(row..<row + 1),
                        conditioning: conditioning(time: [time[row]], labels: [labels[row]]))
                })
        }

        func conditioning(time: [Float], labels: [Int?]) -> [Tensor] {
            preparations.withLock { $0 += time.count }
            let sums = zip(time, labels).map { $0 + Float($1 ?? -1) }
            return [
                Tensor(
                    shape: [time.count, 1],
                    scalars: isExact || sums.count == 1 ? sums : sums.map { $0 * Float(1).nextUp })
            ]
        }

        func predict(_ noisy: Tensor, conditioning: [Tensor]) -> Tensor {
            let count = noisy.shape[0]
            largestGroup.withLock { $0 = max($0, count) }
            let sums = (0..<count).map { row in
                noisy.samples(row..<row + 1) + conditioning[0].scalars[row]
            }
            let result = Tensor.concatenateSamples(sums)
            return isExact || count == 1 ? result : result * Float(1).nextUp
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
        // The first time that some number of conditions are made, they are made twice; the first call of all, which tries
        // numbers of rows as well, makes them one by one.
        for time: Float in [-2, -1] {
            _ = rows.predict(input, time: [time, time, time, time], labels: [3, 3, nil, nil])
        }
        network.preparations.withLock { $0 = 0 }
        _ = rows.predict(input, time: [1, 1, 1, 1], labels: [3, 3, nil, nil])
        #expect(network.preparations.withLock { $0 } == 2)
        _ = rows.predict(input, time: [1, 1, 1, 1], labels: [nil, 3, 3, 4])
        #expect(network.preparations.withLock { $0 } == 3)
    }

    @Test func `rows go together where that changes no bit, and alone where it does`() {
        let many = RandomStream(seed: 2).normals([13, 2, 2, 3])
        let time = (0..<13).map(Float.init)
        let labels = [Int?](repeating: 4, count: 13)
        for isExact in [true, false] {
            let network = Counting(isExact: isExact)
            let rows = RowwiseDenoiser(network)
            let expected = network.predict(many, time: time, labels: labels)
            for _ in 0..<2 {
                network.largestGroup.withLock { $0 = 0 }
                #expect(rows.predict(many, time: time, labels: labels).hasSameBits(as: expected))
            }
            #expect((network.largestGroup.withLock { $0 } > 1) == isExact)
        }
    }

    @Test func `no rows give no rows`() {
        let empty = Tensor.zeros([0, 2, 2, 3])
        struct Nothing: Denoiser {
            func predict(_ noisy: Tensor, time: [Float], labels: [Int?]) -> Tensor { noisy }
        }
        #expect(RowwiseDenoiser(Nothing()).predict(empty, time: [], labels: []).shape == [0, 2, 2, 3])
    }
}
