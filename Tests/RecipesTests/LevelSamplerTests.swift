import Autoregression
import Synchronization
import Tensors
import Testing

@testable import Recipes

@Suite struct LevelSamplerTests {
    /// Notes how many threads it was given to draw with.
    private final class Session: LevelSession {
        let levelCount = 1
        let counts: Counts

        init(_ counts: Counts) { self.counts = counts }

        func draw() { counts.values.withLock { $0.append(ComputeThreads.count) } }
        func keep(_ images: Tensor) {}
        var image: @Sendable () -> Tensor { { .zeros([1, 1, 1, 1]) } }
    }

    private final class Counts: Sendable { let values = Mutex<[Int]>([]) }

    private func threads(_ sessions: (Counts) -> LevelSampler.Sessions, images: Int) -> [Int] {
        let before = ComputeThreads.count
        defer { ComputeThreads.setCount(before) }
        ComputeThreads.setCount(2)
        let counts = Counts()
        let sampler = LevelSampler(levelCount: 1, facts: [], kept: nil, sessions: sessions(counts))
        let items = (0..<images).map {
            GenerationPlan.Item(seed: UInt64($0), label: nil, className: "none")
        }
        _ = sampler.samples(items, size: ImageSize(1)) { _ in true }
        return counts.values.withLock { $0 }
    }

    @Test(arguments: [1, 3]) func `a session of one image has one thread, alone or among others`(
        _ images: Int
    ) {
        let drawn = threads({ counts in .each { _, _ in Session(counts) } }, images: images)
        #expect(drawn == Array(repeating: 1, count: images))
    }

    @Test func `a batch's session divides its work itself`() {
        #expect(threads({ counts in .batch { _, _ in Session(counts) } }, images: 3) == [2])
    }
}
