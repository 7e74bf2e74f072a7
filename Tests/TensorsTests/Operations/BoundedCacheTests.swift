import Testing

@testable import Tensors

@Suite struct BoundedCacheTests {
    @Test func `a value is made once, and no more are kept than the limit`() {
        var cache = BoundedCache<Int, Int>(limit: 3)
        var made: [Int] = []
        func value(_ key: Int) -> Int {
            cache.value(key) {
                made.append(key)
                return 10 * key
            }
        }
        for key in [1, 2, 1, 3, 2] { #expect(value(key) == 10 * key) }
        #expect(made == [1, 2, 3])
        #expect(value(4) == 40)
        #expect(cache.values.count == 1)
        #expect(value(1) == 10 && made == [1, 2, 3, 4, 1])
    }

    @Test func `ever new sizes keep their results while plans are forgotten`() {
        let random = RandomStream(seed: 5)
        let (w, vector) = (random.normals([16, 16, 1, 1]), random.stream(1).normals([16]))
        func run(_ rows: Int) -> Tensor {
            random.stream(2).normals([1, rows, 1, 16]).convolved(
                normalizedBy: RowNormalization(weight: vector, bias: vector, epsilon: 1e-5),
                with: PointwiseWeights(weight: w, bias: nil))
        }
        let first = run(7)
        for rows in 1...80 { _ = run(rows) }
        #expect(run(7).hasSameBits(as: first))
    }
}
