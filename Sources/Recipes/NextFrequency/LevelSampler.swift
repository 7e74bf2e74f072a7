import Autoregression
import Tensors

/// Draws images level by level; a step is a level.
///
/// Every image runs on a thread of its own with every operation on that thread alone, so its bytes depend on the
/// model, the settings and its own seed only.
struct LevelSampler: ImageSampler {
    /// How many levels are drawn or taken over.
    let levelCount: Int
    let facts: [(name: String, value: String)]
    private let given: (images: Tensor, levels: Int)?
    private let makeSession: @Sendable (UInt64, Int?) -> any LevelSession

    /// - Parameters:
    ///   - kept: an image whose first levels are taken over.
    ///   - source: brings that image into the space of the sessions.
    ///   - makeSession: begins one image, given its seed and label.
    init(
        levelCount: Int, facts: [(name: String, value: String)], kept: KeptBands?,
        source: (Tensor) -> Tensor = { $0 },
        makeSession: @escaping @Sendable (UInt64, Int?) -> any LevelSession
    ) {
        self.levelCount = levelCount
        self.makeSession = makeSession
        self.facts = facts + (kept.map { [("kept", $0.description)] } ?? [])
        given = kept.map { kept in (Self.each(1) { _ in source(kept.image) }[0], kept.levels) }
    }

    var stepCount: Int { levelCount }

    func samples(
        _ items: [GenerationPlan.Item], size: ImageSize, onStep: (ImageSamplerStep) throws -> Bool
    ) rethrows -> Tensor? {
        var runs = items.map { item in
            NextFrequencyRun(makeSession(item.seed, item.label), until: levelCount, keeping: given)
                .makeIterator()
        }
        var image: @Sendable () -> Tensor = { .zeros([0]) }
        for level in 0..<levelCount {
            let steps = runs.withUnsafeMutableBufferPointer { runs in
                let runs = runs
                return Self.each(runs.count) { runs[$0].next() }.compactMap { $0 }
            }
            image = { .concatenateSamples(Self.each(steps.count) { steps[$0].preview.detached }) }
            guard try onStep(ImageSamplerStep(index: level, count: levelCount, preview: image)) else {
                return nil
            }
        }
        return image()
    }

    /// The results of independent work, in order, each from one thread alone.
    private static func each<Value>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
        var values = [Value?](repeating: nil, count: count)
        values.withUnsafeMutableBufferPointer { values in
            let values = values
            ComputeThreads.concurrently(count) { values[$0] = body($0) }
        }
        return values.compactMap { $0 }
    }
}
