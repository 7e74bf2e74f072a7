import Autoregression
import Tensors

/// Draws images level by level; a step is a level.
///
/// An image's bytes depend on the model, the settings and its own seed only: either it has a session and a thread of its
/// own, with every operation on that thread alone, or its session keeps images apart by itself.
struct LevelSampler: ImageSampler {
    /// How many levels are drawn or taken over.
    let levelCount: Int
    let facts: [(name: String, value: String)]
    private let given: (images: Tensor, levels: Int)?
    private let sessions: Sessions

    /// Begins images, given their seeds and labels.
    enum Sessions: Sendable {
        /// One session for each image.
        case each(@Sendable (UInt64, Int?) -> any LevelSession)
        /// One for a whole batch, whose operations never mix images.
        case batch(@Sendable ([UInt64], [Int?]) -> any LevelSession)
    }

    /// - Parameters:
    ///   - kept: an image whose first levels are taken over.
    ///   - source: brings that image into the space of the sessions.
    init(
        levelCount: Int, facts: [(name: String, value: String)], kept: KeptBands?,
        source: (Tensor) -> Tensor = { $0 }, sessions: Sessions
    ) {
        self.levelCount = levelCount
        self.sessions = sessions
        self.facts = facts + (kept.map { [("kept", $0.description)] } ?? [])
        given = kept.map { kept in
            (ComputeThreads.concurrentMap(1) { _ in source(kept.image) }[0], kept.levels)
        }
    }

    var stepCount: Int { levelCount }

    func samples(
        _ items: [GenerationPlan.Item], size: ImageSize, onStep: (ImageSamplerStep) throws -> Bool
    ) rethrows -> Tensor? {
        var runs = runs(items)
        var image: @Sendable () -> Tensor = { .zeros([0]) }
        for level in 0..<levelCount {
            let steps = runs.withUnsafeMutableBufferPointer { runs in
                let runs = runs
                return each(runs.count) { runs[$0].next() }.compactMap { $0 }
            }
            image = { [self] in .concatenateSamples(each(steps.count) { steps[$0].preview.detached }) }
            guard try onStep(ImageSamplerStep(index: level, count: levelCount, preview: image)) else {
                return nil
            }
        }
        return image()
    }

    private func runs(_ items: [GenerationPlan.Item]) -> [NextFrequencyRun.Iterator] {
        func run(_ session: any LevelSession, _ count: Int) -> NextFrequencyRun.Iterator {
            let given = given.map { ($0.images.repeatedSamples(count), $0.levels) }
            return NextFrequencyRun(session, until: levelCount, keeping: given).makeIterator()
        }
        switch sessions {
        case .each(let make): return items.map { run(make($0.seed, $0.label), 1) }
        case .batch(let make): return [run(make(items.map(\.seed), items.map(\.label)), items.count)]
        }
    }

    /// The results of the sessions' work, in order: each session's from one thread alone, unless it is a batch's, which
    /// divides its work itself.
    private func each<Value>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
        switch sessions {
        case .each: ComputeThreads.concurrentMap(count, body)
        case .batch: (0..<count).map(body)
        }
    }
}
